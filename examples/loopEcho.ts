// Sends frames over a port and has the other end answer them in the chunks they came in. Every port is used like this;
// `loop:` is a wire in memory and needs no privileges.
//
//   node bin/launch.js examples/loopEcho.ts
import { Burst, copyDescriptor } from 'barewire/core';
import { openPort, type Port } from 'barewire/port';
import { echoUdpFrame, parseUdpFrame, UdpFrame, UdpFrameTemplate } from 'barewire/wire';

const PAYLOAD_LEN = 25;

// The first opener of a name gets one end of the wire, the second the other.
using here = openPort('loop:wire');
using there = openPort('loop:wire');

const template = new UdpFrameTemplate({
  sourceMac: here.mac,
  destinationMac: there.mac,
  sourceAddress: '10.0.0.1',
  destinationAddress: '10.0.0.2',
  sourcePort: 40_000,
  destinationPort: 7,
});
const burst = new Burst(32);
const answers = new Burst(32);
const frame = new UdpFrame();

send(here, 20);
console.log(`answered ${answer(there)} frames`);
console.log(`got ${receive(here)} answers`);
console.log(here.statistics());

/** Writes `count` frames into chunks of the port and has them sent. */
function send(port: Port, count: number): void {
  burst.clear();
  port.alloc(burst, count);
  for (let i = 0; i < burst.count; i++) {
    const view = port.regions[burst.region[i]!]!.view;
    view.setUint32(burst.addr[i]! + template.headerLen, i);
    burst.len[i] = template.write(view, burst.addr[i]!, PAYLOAD_LEN);
  }
  transmit(port, burst);
}

/** Turns what has arrived around in place, and sends it: nothing is copied but descriptors. */
function answer(port: Port): number {
  port.rx(burst);
  answers.clear();
  let refused = 0;
  for (let i = 0; i < burst.count; i++) {
    const view = port.regions[burst.region[i]!]!.view;
    const ours = parseUdpFrame(view, burst.addr[i]!, burst.len[i]!, frame) === 0 && echoUdpFrame(frame) > 0;
    if (ours) copyDescriptor(burst, i, answers, answers.count++);
    else copyDescriptor(burst, i, burst, refused++);
  }
  const count = answers.count;
  transmit(port, answers);
  burst.count = refused;
  port.recycle(burst);
  return count;
}

/** Counts the datagrams that have arrived, then gives their chunks back. */
function receive(port: Port): number {
  port.rx(burst);
  let count = 0;
  for (let i = 0; i < burst.count; i++) {
    const view = port.regions[burst.region[i]!]!.view;
    if (parseUdpFrame(view, burst.addr[i]!, burst.len[i]!, frame) === 0) count++;
  }
  port.recycle(burst);
  return count;
}

/** Has frames sent. tx() takes a prefix; what it leaves is still ours, and goes back to the port. */
function transmit(port: Port, frames: Burst): void {
  frames.dropPrefix(port.tx(frames));
  port.recycle(frames);
  port.flush();
}
