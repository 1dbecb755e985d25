// Takes the datagrams of one UDP port off an interface with AF_XDP, while the kernel goes on with all others. Needs root,
// and nothing else: it makes two unnamed network namespaces with a veth pair between them, which end with it.
//
//   sudo node bin/launch.js examples/xdpReceive.ts
import { Burst } from 'barewire/core';
import { openPort } from 'barewire/port';
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

const COUNT = 100;
const OURS = 9000;
const OTHER = 9001;

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
using kernel = withNetns(receiver, () => new UdpSocket({ address: '10.9.0.2', port: OTHER }));
using port = withNetns(receiver, () => openPort('xdp:in', { flows: [{ port: OURS }] }));
console.log(`port: ${port.report.mode}`);
for (const reason of port.report.reasons) console.log(reason);

for (const udpPort of [OURS, OTHER]) {
  using socket = withNetns(sender, () => new UdpSocket({ peer: { address: '10.9.0.2', port: udpPort } }));
  for (let i = 0; i < COUNT; ) {
    const offset = socket.reserve(4);
    if (offset >= 0) socket.sendView.setUint32(offset, i++);
    if (offset < 0 || i === COUNT) socket.flush();
  }
}

const burst = new Burst(64);
const frame = new UdpFrame();
let taken = 0;
let passed = 0;
let sum = 0;
const deadline = performance.now() + 2_000;
while (taken + passed < 2 * COUNT && performance.now() < deadline) {
  port.rx(burst);
  for (let i = 0; i < burst.count; i++) {
    const view = port.regions[burst.region[i]!]!.view;
    if (parseUdpFrame(view, burst.addr[i]!, burst.len[i]!, frame) !== 0) continue;
    sum += view.getUint32(frame.payloadOffset); // the payload where the kernel put it
    taken++;
  }
  port.recycle(burst);
  passed += Math.max(0, kernel.receive(64));
}

console.log(`port ${OURS}: ${taken} datagrams over AF_XDP, sum ${sum}`);
console.log(`port ${OTHER}: ${passed} datagrams over the kernel, as ever`);
