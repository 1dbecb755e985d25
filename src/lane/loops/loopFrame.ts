import { UdpFrameTemplate } from '../../wire/index.ts';

/** What frame to build. */
export interface LoopFrameSpec {
  /** nobody's when absent: an address that is locally administered and given to none */
  readonly destinationMac?: string;
  readonly sourceMac: string;
  /** both UDP ports */
  readonly udpPort: number;
  /** FCS not counted [bytes] */
  readonly frameLen: number;
  /** of who is to send it, without the Ethernet header [bytes] */
  readonly mtu: number;
}

const NOBODY_MAC = '02:00:00:00:00:02';

/** Addresses that are nobody's, for documentation. @source RFC 5737 */
const NOBODY = { sourceAddress: '192.0.2.1', destinationAddress: '192.0.2.2' } as const;

const ETH_HEADER_LEN = 14;

/**
 * Builds the frame that a loop sends: a UDP datagram of zeros between addresses that are nobody's.
 *
 * @throws RangeError when no such frame has the length; TypeError for a MAC address that is none
 */
export function buildLoopFrame(spec: LoopFrameSpec): Uint8Array {
  const { destinationMac = NOBODY_MAC, sourceMac, udpPort, frameLen, mtu } = spec;
  const ports = { sourcePort: udpPort, destinationPort: udpPort };
  const template = new UdpFrameTemplate({ destinationMac, sourceMac, ...NOBODY, ...ports });
  const shortest = template.headerLen;
  const longest = Math.min(mtu + ETH_HEADER_LEN, shortest + template.maxPayloadLen);
  if (!Number.isInteger(frameLen) || frameLen < shortest || frameLen > longest) {
    throw new RangeError(`Cannot build a frame of ${frameLen} bytes: wanted ${shortest} to ${longest}`);
  }
  const frame = new Uint8Array(frameLen);
  template.write(new DataView(frame.buffer), 0, frameLen - shortest);
  return frame;
}
