/**
 * Why a frame was refused, as a small negative number: what hot code returns instead of throwing.
 *
 * 0 means that nothing is wrong. Each reason is distinct, so that one counter per reason explains every frame.
 */
export const FrameError = {
  /** The frame is shorter than an Ethernet header. */
  ethernetTruncated: -1,
  /** The frame ends inside a VLAN tag. */
  vlanTruncated: -2,
  /** A third VLAN tag follows the two that are read. */
  tooManyVlanTags: -3,
  /** The EtherType is neither IPv4 nor IPv6. */
  notIp: -4,
  /** The frame ends before its IPv4 packet does. */
  ipv4Truncated: -5,
  /** The EtherType says IPv4, the version field does not. */
  ipv4BadVersion: -6,
  /** The IPv4 header length is below 20 bytes. */
  ipv4BadHeaderLen: -7,
  /** The IPv4 total length is below the header length. */
  ipv4BadTotalLen: -8,
  /** The IPv4 header checksum is wrong. */
  ipv4BadChecksum: -9,
  /** An IPv4 fragment: only a whole datagram can be read in place. */
  ipv4Fragment: -10,
  /** The frame ends before its IPv6 packet does. */
  ipv6Truncated: -11,
  /** The EtherType says IPv6, the version field does not. */
  ipv6BadVersion: -12,
  /** An IPv6 extension header runs past the packet or stands where it must not. */
  ipv6BadExtension: -13,
  /** More IPv6 extension headers than are walked. */
  ipv6TooManyExtensions: -14,
  /** An IPv6 routing header names further stops: the packet has not arrived yet. */
  ipv6NotArrived: -15,
  /** An IPv6 fragment: only a whole datagram can be read in place. */
  ipv6Fragment: -16,
  /** The IP packet carries something other than UDP. */
  notUdp: -17,
  /** The IP packet ends inside the UDP header. */
  udpTruncated: -18,
  /** The UDP length is below 8 bytes or beyond the IP packet. */
  udpBadLen: -19,
  /** The UDP checksum is wrong. */
  udpBadChecksum: -20,
  /** A UDP datagram over IPv6 without a checksum. */
  udpNoChecksum: -21,
  /** A payload to send does not fit the 16-bit length fields. */
  payloadTooLong: -22,
  /** A frame that cannot be answered: one of its ends is a group, nobody, or port 0. */
  unanswerable: -23,
} as const;

/** The name of a {@link FrameError}. */
export type FrameErrorName = keyof typeof FrameError;

/**
 * Counter names, indexed by the negated code: `counters[-code]++` counts every outcome without a branch.
 *
 * Index 0 is `accepted`; the names of {@link FrameError} follow in order.
 */
export const frameErrorNames: readonly ('accepted' | FrameErrorName)[] = [
  'accepted',
  ...(Object.keys(FrameError) as FrameErrorName[]),
];

/** What each counter of {@link frameErrorNames} counts, for the help text of a counters page. */
export const frameErrorHelp: Readonly<Record<'accepted' | FrameErrorName, string>> = {
  accepted: 'frames that passed every check',
  ethernetTruncated: 'frames shorter than an Ethernet header',
  vlanTruncated: 'frames that end inside a VLAN tag',
  tooManyVlanTags: 'frames with more than two VLAN tags',
  notIp: 'frames that carry neither IPv4 nor IPv6',
  ipv4Truncated: 'frames that end before their IPv4 packet does',
  ipv4BadVersion: 'IPv4 packets whose version field is not 4',
  ipv4BadHeaderLen: 'IPv4 packets whose header length is below 20 bytes',
  ipv4BadTotalLen: 'IPv4 packets whose total length is below their header length',
  ipv4BadChecksum: 'IPv4 packets with a wrong header checksum',
  ipv4Fragment: 'IPv4 fragments',
  ipv6Truncated: 'frames that end before their IPv6 packet does',
  ipv6BadVersion: 'IPv6 packets whose version field is not 6',
  ipv6BadExtension: 'IPv6 packets with an extension header that is cut off or out of place',
  ipv6TooManyExtensions: 'IPv6 packets with more extension headers than are walked',
  ipv6NotArrived: 'IPv6 packets whose routing header names further stops',
  ipv6Fragment: 'IPv6 fragments',
  notUdp: 'IP packets that carry something other than UDP',
  udpTruncated: 'IP packets that end inside the UDP header',
  udpBadLen: 'UDP datagrams whose length is below 8 bytes or beyond their IP packet',
  udpBadChecksum: 'UDP datagrams with a wrong checksum',
  udpNoChecksum: 'UDP datagrams over IPv6 without a checksum',
  payloadTooLong: 'payloads not sent because they exceed the 16-bit length fields',
  unanswerable: 'frames not answered because one of their ends is a group, nobody, or port 0',
};
