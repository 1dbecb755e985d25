/**
 * What an IP packet carries: the protocol of IPv4, the next header of IPv6.
 *
 * @source IANA, Assigned Internet Protocol Numbers
 */
export const IpProtocol = {
  hopByHop: 0,
  icmp: 1,
  tcp: 6,
  udp: 17,
  routing: 43,
  fragment: 44,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  none: 59,
  destinationOptions: 60,
} as const;
