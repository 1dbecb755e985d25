// Receives over AF_XDP as a plain program on the event loop: no thread, no spinning, and no CPU while nothing arrives.
// Needs root, and nothing else: it makes two unnamed network namespaces with a veth pair between them.
//
//   sudo node bin/launch.js examples/xdpEvents.ts
import { setTimeout as sleep } from 'node:timers/promises';
import { openPort, watchPort } from 'barewire/port';
import {
  addAddress,
  createVethPair,
  NetworkNamespace,
  setLink,
  setOffloads,
  UdpSocket,
  withNetns,
} from 'barewire/sys';
import { parseUdpFrame, UdpFrame } from 'barewire/wire';

const COUNT = 20;

using sender = NetworkNamespace.create();
using receiver = NetworkNamespace.create();
withNetns(sender, () => {
  createVethPair({ name: 'out', peerName: 'in', peerNamespace: receiver });
  // NB: over veth a kernel sender leaves checksums unfinished, and frames with wrong checksums are refused.
  setOffloads('out', { txChecksum: false });
  addAddress('out', '10.9.0.1/24');
  setLink('out', { up: true });
});
withNetns(receiver, () => {
  addAddress('in', '10.9.0.2/24');
  setLink('in', { up: true });
});

// Sockets and ports stay in the namespace in which they were opened.
using port = withNetns(receiver, () => openPort('xdp:in', { flows: [{ port: 9000 }] }));
using watch = watchPort(port);
console.log(`woken by ${watch.via}${watch.reason === undefined ? '' : `: ${watch.reason}`}`);

/** A datagram every 50 ms, from the same event loop. */
async function send(): Promise<void> {
  using socket = withNetns(sender, () => new UdpSocket({ peer: { address: '10.9.0.2', port: 9000 } }));
  for (let i = 0; i < COUNT; i++) {
    await sleep(50);
    socket.sendView.setUint32(socket.reserve(4), i);
    socket.flush();
  }
}

const sending = send();
const cpu = process.cpuUsage();
const frame = new UdpFrame();
let taken = 0;
let sum = 0;
// The burst is filled anew each time, and what is left in it when the next one is asked for is recycled.
for await (const burst of watch) {
  for (let i = 0; i < burst.count; i++) {
    const view = port.regions[burst.region[i]!]!.view;
    if (parseUdpFrame(view, burst.addr[i]!, burst.len[i]!, frame) !== 0) continue;
    sum += view.getUint32(frame.payloadOffset);
    taken++;
  }
  if (taken === COUNT) break; // leaving the loop closes the watch
}
await sending;
const { user, system } = process.cpuUsage(cpu);
console.log(`${taken} datagrams, sum ${sum}`);
console.log(`${((user + system) / 1e3).toFixed(0)} ms of CPU in a second`);
