/** The UDP destination port of frames made here. */
export const TEST_UDP_PORT = 9000;

/**
 * Builds an Ethernet frame with an IPv4 UDP datagram to {@link TEST_UDP_PORT}, by hand and from the RFCs alone, so that
 * tests do not check our builders with themselves.
 *
 * @param tag - a number that the payload starts with; the rest counts up from it
 */
export function udpFrame(
  source: Uint8Array,
  destination: Uint8Array,
  payloadLen: number,
  tag: number,
): Uint8Array {
  const frame = new Uint8Array(42 + payloadLen);
  const view = new DataView(frame.buffer);
  frame.set(destination, 0);
  frame.set(source, 6);
  view.setUint16(12, 0x0800);
  view.setUint8(14, 0x45);
  view.setUint16(16, 28 + payloadLen);
  view.setUint8(22, 64);
  view.setUint8(23, 17);
  view.setUint32(26, 0x0a090001);
  view.setUint32(30, 0x0a090002);
  view.setUint16(24, checksum(frame.subarray(14, 34)));
  view.setUint16(34, 40_000);
  view.setUint16(36, TEST_UDP_PORT);
  view.setUint16(38, 8 + payloadLen);
  for (let i = 0; i < payloadLen; i++) frame[42 + i] = (tag + i) & 0xff;
  if (payloadLen >= 4) view.setUint32(42, tag);
  // RFC 768: the pseudo header is the addresses, the protocol and the UDP length; zero is sent as all ones.
  const pseudo = new Uint8Array(12);
  pseudo.set(frame.subarray(26, 34));
  new DataView(pseudo.buffer).setUint16(8, 17);
  new DataView(pseudo.buffer).setUint16(10, 8 + payloadLen);
  view.setUint16(40, checksum(pseudo, frame.subarray(34)) || 0xffff);
  return frame;
}

/** RFC 1071, word by word. */
function checksum(...pieces: readonly Uint8Array[]): number {
  let sum = 0;
  for (const piece of pieces) {
    for (let i = 0; i < piece.length; i += 2) sum += (piece[i]! << 8) | (piece[i + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
