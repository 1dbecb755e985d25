// Builds an Ethernet frame with a UDP datagram, checks it, reads it in place, and sees what damaged ones are refused for.
// Needs no privileges.
//
//   node bin/launch.js examples/parseFrame.ts
import { FrameError, frameErrorNames, parseUdpFrame, UdpFrame, UdpFrameTemplate } from 'barewire/wire';

const memory = new DataView(new ArrayBuffer(2048));
const OFFSET = 256; // frames may begin anywhere, as they do in a chunk of packet memory

// The headers are made once; each payload is written behind where they will stand.
const template = new UdpFrameTemplate({
  sourceMac: '02:00:00:00:00:01',
  destinationMac: '02:00:00:00:00:02',
  vlans: [{ id: 42 }],
  sourceAddress: '2001:db8::1',
  destinationAddress: '2001:db8::2',
  sourcePort: 40_000,
  destinationPort: 9000,
});
const { written } = new TextEncoder().encodeInto(
  'hello, wire',
  new Uint8Array(memory.buffer, OFFSET + template.headerLen),
);
const frameLen = template.write(memory, OFFSET, written);

// One object serves every frame. After 0 was returned no accessor fails or leaves the frame.
const frame = new UdpFrame();
const code = parseUdpFrame(memory, OFFSET, frameLen, frame);
if (code !== 0) throw new Error(`refused: ${frameErrorNames[-code]}`);
const payload = new Uint8Array(memory.buffer, frame.payloadOffset, frame.payloadLen);
console.log(`${frame.len} bytes, VLAN ${frame.vlanId}, IPv${frame.ipVersion}`);
console.log(`${frame.sourceAddress} port ${frame.sourcePort}`);
console.log(`${frame.destinationAddress} port ${frame.destinationPort}`);
console.log(new TextDecoder().decode(payload));

// A peer that sends nonsense costs a negative code, never an exception.
memory.setUint8(frame.payloadOffset, 0x48);
const damaged = parseUdpFrame(memory, OFFSET, frameLen, frame);
console.log(`one byte changed: ${frameErrorNames[-damaged]}`);
const cut = parseUdpFrame(memory, OFFSET, frameLen - 1, frame);
console.log(`one byte short: ${frameErrorNames[-cut]}, which is ${cut === FrameError.ipv6Truncated}`);
