// Forwards datagrams between two interfaces, both ways, without a copy of ours: the ports share one umem, so what one has
// received the other sends from the same chunk. Needs root, and nothing else: it makes three unnamed network namespaces,
// host A and host B with this program between them.
//
//   sudo node bin/launch.js examples/xdpForward.ts
import { Burst } from 'barewire/core';
import { type Port, XdpPort } from 'barewire/port';
import {
  addAddress,
  addNeighbour,
  createVethPair,
  link,
  NetworkNamespace,
  setLink,
  setOffloads,
  UdpSocket,
  withNetns,
} from 'barewire/sys';
import { Umem } from 'barewire/xdp';

const COUNT = 200;
const PORT = 9000;

using middle = NetworkNamespace.create();
using hostA = NetworkNamespace.create();
using hostB = NetworkNamespace.create();
const macs = [hostA, hostB].map((host, i) =>
  withNetns(host, () => {
    createVethPair({ name: 'net', peerName: `to${'AB'[i]}`, peerNamespace: middle });
    // NB: over veth a kernel sender leaves checksums unfinished, and frames with wrong checksums are refused.
    setOffloads('net', { txChecksum: false });
    addAddress('net', `10.9.0.${i + 1}/24`);
    setLink('net', { up: true });
    return link('net').mac!;
  }),
);
// The flow is UDP to one port, and ARP is none of it: each host is told where the other is.
withNetns(hostA, () => addNeighbour('net', '10.9.0.2', macs[1]!));
withNetns(hostB, () => addNeighbour('net', '10.9.0.1', macs[0]!));

// The kernel lends and takes chunks on both interfaces: 2 * rx + tx of them for each nicQueue.
using umem = new Umem({ chunkCount: 2 * (2 * 2048 + 2048), shared: true });
const openPort = (name: string): XdpPort =>
  withNetns(middle, () => {
    setLink(name, { up: true });
    // The frames are for another host: on a NIC they come in only when it is promiscuous.
    return new XdpPort({ interface: name, flows: [{ port: PORT }], umem, promiscuous: true });
  });
using toA = openPort('toA');
using toB = openPort('toB');
for (const { spec, report } of [toA, toB]) console.log(`${spec}: ${report.mode}`);

/** Moves a burst of descriptors from one port to the other; the frames stay where they are. */
function forward(from: Port, to: Port, burst: Burst): void {
  from.rx(burst);
  burst.dropPrefix(to.tx(burst)); // what found no room on the tx ring is still ours
  to.flush();
  from.recycle(burst);
}

using a = withNetns(hostA, () => new UdpSocket({ port: PORT, peer: { address: '10.9.0.2', port: PORT } }));
using b = withNetns(hostB, () => new UdpSocket({ address: '10.9.0.2', port: PORT }));
const burst = new Burst(64);
let sent = 0;
let back = 0;
const deadline = performance.now() + 2_000;
while (back < COUNT && performance.now() < deadline) {
  while (sent < COUNT && sent < back + 64 && a.reserve(20) >= 0) sent++;
  a.flush();
  forward(toA, toB, burst);
  for (let i = 0, count = b.receive(64); i < count; i++) b.reply(i, 20);
  b.flush();
  forward(toB, toA, burst);
  back += Math.max(0, a.receive(64));
}
console.log(`${back} of ${sent} datagrams went to host B and came back`);
