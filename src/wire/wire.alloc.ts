import type { AllocationCase } from '../../tools/allocationCase.ts';
import { computeChecksum, isChecksumValid, updateChecksum } from './checksum.ts';
import { EthernetHeader } from './ethernet.ts';
import { FrameError } from './frameError.ts';
import { IpProtocol } from './ipProtocol.ts';
import { Ipv4Header } from './ipv4.ts';
import { Ipv6Header } from './ipv6.ts';
import { UdpHeader } from './udp.ts';
import { echoUdpFrame } from './udpEcho.ts';
import { parseUdpFrame, UdpFrame } from './udpFrame.ts';
import { type UdpFrameSpec, UdpFrameTemplate } from './udpFrameTemplate.ts';

const CHUNK = 256;
const PAYLOAD_LEN = 33;

const plain: UdpFrameSpec = {
  destinationMac: '02:00:00:00:00:01',
  sourceMac: '02:00:00:00:00:02',
  destinationAddress: '192.0.2.1',
  sourceAddress: '192.0.2.2',
  destinationPort: 9000,
  sourcePort: 40_000,
};
const specs: readonly UdpFrameSpec[] = [
  plain,
  { ...plain, vlans: [{ id: 5 }] },
  { ...plain, destinationAddress: '2001:db8::1', sourceAddress: '2001:db8::2' },
  { ...plain, vlans: [{ id: 5 }, { id: 6 }], destinationAddress: '::1', sourceAddress: '::2' },
];
const view = new DataView(new ArrayBuffer(CHUNK * (specs.length + 1)));
const lens = Int32Array.from(specs, (spec, i) =>
  new UdpFrameTemplate(spec).write(view, CHUNK * i, PAYLOAD_LEN),
);
const l3 = 14;
const l4 = 34;
const l3v6 = CHUNK * 2 + 14;

const frame = new UdpFrame();
const ethernet = new EthernetHeader();
const ipv4 = new Ipv4Header();
const ipv6 = new Ipv6Header();
const udp = new UdpHeader();
const template = new UdpFrameTemplate();

/** What went wrong, so that no call is without effect; a loop that refuses its frames would measure nothing. */
let failures = 0;

function expectNone(): void {
  if (failures !== 0) throw new Error(`${failures} frames were refused`);
}

const cases: AllocationCase[] = [
  {
    name: 'frames parsed, answered, echoed, cut off; IPv4 and IPv6, tagged and not',
    covers: [
      'parseUdpFrame',
      'ethernetHeaderLen',
      'swap16',
      'addHalves',
      'sumWords',
      'foldSum',
      'UdpFrameTemplate.replyTo',
      'UdpFrameTemplate.write',
      'echoUdpFrame',
      'isAnswerable',
      'updateChecksum',
    ],
    run(count: number): void {
      for (let i = 0; i < count; i++) {
        const at = CHUNK * (i & 3);
        const len = lens[i & 3]!;
        if (parseUdpFrame(view, at, len, frame) !== 0) failures++;
        // Of every 16 frames, each kind is answered once, echoed once, and cut off once.
        switch ((i >>> 2) & 3) {
          case 0:
            if (template.replyTo(frame) !== 0) failures++;
            if (template.write(view, CHUNK * 4, PAYLOAD_LEN) < 0) failures++;
            break;
          case 1:
            if (echoUdpFrame(frame) !== len) failures++;
            break;
          case 2:
            if (parseUdpFrame(view, at, len - 1 - (i & 63), frame) === 0) failures++;
        }
      }
      expectNone();
    },
  },
  {
    name: 'headers one by one, and checksums',
    covers: [
      'EthernetHeader.check',
      'Ipv4Header.check',
      'Ipv4Header.pseudoSum',
      'Ipv6Header.check',
      'Ipv6Header.pseudoSum',
      'UdpHeader.check',
      'UdpHeader.isChecksumValid',
      'computeChecksum',
      'isChecksumValid',
    ],
    run(count: number): void {
      const room = lens[0]! - l3;
      for (let i = 0; i < count; i++) {
        if (ethernet.check(view, 0, 60) !== 0) failures++;
        // IPv4 and IPv6 in turns.
        if ((i & 1) === 0) {
          if (ipv4.check(view, l3, room, true) !== 0) failures++;
          if (udp.check(view, l4, ipv4.totalLen - ipv4.headerLen) !== 0) failures++;
          if (!udp.isChecksumValid(ipv4.pseudoSum(IpProtocol.udp, udp.len))) failures++;
          if (!isChecksumValid(view, l3, 20)) failures++;
          if (updateChecksum(computeChecksum(view, l3, 20), i & 0xffff, 1) < 0) failures++;
        } else {
          if (ipv6.check(view, l3v6, lens[2]! - 14) !== 0) failures++;
          if (ipv6.pseudoSum(IpProtocol.udp, i & 0xffff) === 0) failures++;
          if (ipv6.check(view, l3v6, i & 31) !== FrameError.ipv6Truncated) failures++;
        }
      }
      expectNone();
    },
  },
];
export default cases;
