// Spreads the nicQueues of an interface over lanes: one thread attaches the program, two lanes open a nicQueue each and
// share nothing. This module is both the owner and what runs on a lane. Needs root, and nothing else: it makes two unnamed
// network namespaces with a veth pair of two nicQueues between them.
//
//   sudo node bin/launch.js examples/xdpGroup.ts
import { setTimeout as sleep } from 'node:timers/promises';
import { Lane, type LaneContext, type LaneProgram, RxDrop } from 'barewire/lane';
import { openPort, type PortReport } from 'barewire/port';
import {
  addAddress,
  createVethPair,
  NetworkNamespace,
  setLink,
  setOffloads,
  UdpSocket,
  withNetns,
} from 'barewire/sys';
import { XdpGroup } from 'barewire/xdp';

const COUNT = 640;
const SOCKETS = 64;
const PORT = 9000;

/** Called inside a lane's thread, which is in the interface's namespace already. */
export function createLane(_: LaneContext, spec: string): LaneProgram {
  const port = openPort(spec);
  let frames = 0;
  return {
    pollables: [new RxDrop(port)], // a real one parses what it receives
    report: () => port.report,
    close: () => {
      frames = port.statistics().rxFrames;
      port.close();
    },
    result: () => frames,
  };
}

if (import.meta.main) {
  using sender = NetworkNamespace.create();
  using receiver = NetworkNamespace.create();
  withNetns(sender, () => {
    createVethPair({ name: 'out', peerName: 'in', peerNamespace: receiver, rxQueues: 2, txQueues: 2 });
    setOffloads('out', { txChecksum: false });
    addAddress('out', '10.9.0.1/24');
    setLink('out', { up: true });
  });
  withNetns(receiver, () => {
    addAddress('in', '10.9.0.2/24');
    setLink('in', { up: true });
  });

  using group = withNetns(receiver, () => new XdpGroup({ interface: 'in', flows: [{ port: PORT }] }));
  console.log(`program: ${group.attachMode} mode`);
  const start = (queue: number): Promise<Lane> => {
    const data = `xdp:in?queue=${queue}&join=${group.socketsFd}`;
    return Lane.start({ module: new URL(import.meta.url), data, idle: 'block', netns: receiver.path });
  };
  const lanes = await Promise.all([start(0), start(1)]);
  for (const { programReport } of lanes) console.log((programReport as PortReport).mode);

  // Each socket is a flow of its own, since it has a port of its own: some hash to one nicQueue, some to the other.
  for (let i = 0; i < SOCKETS; i++) {
    using socket = withNetns(sender, () => new UdpSocket({ peer: { address: '10.9.0.2', port: PORT } }));
    for (let j = 0; j < COUNT / SOCKETS; j++) socket.reserve(20);
    socket.flush();
  }
  const deadline = performance.now() + 5_000;
  while (group.flowCounters().redirected < COUNT && performance.now() < deadline) await sleep(10);
  await sleep(100); // what is redirected is yet to be received
  for (const lane of lanes) await lane.stop();
  const frames = (await Promise.all(lanes.map(({ done }) => done))) as number[];
  console.log(`queue 0: ${frames[0]} frames, queue 1: ${frames[1]}`);
  console.log(`${frames[0]! + frames[1]!} of ${COUNT}; no socket: ${group.flowCounters().noSocket}`);
}
