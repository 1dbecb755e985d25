import type { AllocationCase } from '../../tools/allocationCase.ts';
import { nowNs } from './clock.ts';
import { EventFd } from './eventfd.ts';
import { PollSet } from './poll.ts';
import { UdpSocket } from './udpSocket.ts';

// Every operation is one that a lane makes once a burst.

const BURST = 64;

// Two of each, in turns: of an object that is the only one of its class, V8 folds the fields into the code, and finds
// out too little of what reading them costs.
const events = [EventFd.create('allocation'), EventFd.create('allocation')];
const sets = events.map((event) => new PollSet([event.fd]));
const sockets = [new UdpSocket({ address: '127.0.0.1' }), new UdpSocket({ address: '127.0.0.1' })];
const clients = sockets.map(({ local }) => new UdpSocket({ address: '127.0.0.1', peer: local }));

/** What went wrong, so that no call is without effect. */
let failures = 0;

function expectNone(): void {
  if (failures !== 0) throw new Error(`${failures} calls did not do what they should`);
}

const cases: AllocationCase[] = [
  {
    name: 'one stamp per burst',
    covers: ['nowNs', 'ffi/clockGettimePtr'],
    framesPerOperation: BURST,
    run(count: number): void {
      for (let i = 0; i < count; i++) if (nowNs() < 1e9) failures++;
      expectNone();
    },
  },
  {
    name: 'eventfd and poll(2)',
    covers: ['EventFd.signal', 'EventFd.drain', 'PollSet.wait', 'PollSet.ready', 'ffi/pollPtr'],
    framesPerOperation: BURST,
    run(count: number): void {
      for (let i = 0; i < count; i++) {
        const event = events[i & 1]!;
        const set = sets[i & 1]!;
        event.signal();
        if (set.wait(0) !== 1 || set.ready(0) === 0) failures++;
        if (event.drain() !== 1) failures++;
        if (set.wait(0) !== 0) failures++;
      }
      expectNone();
    },
  },
  {
    name: 'a datagram there and back',
    covers: [
      'UdpSocket.receive',
      'UdpSocket.reply',
      'UdpSocket.reserve',
      'UdpSocket.flush',
      'DatagramSlots.receivedLen',
      'DatagramSlots.receivedFlags',
      'DatagramSlots.setLen',
      'DatagramSlots.copyName',
      'softErrno',
      'ffi/recvmmsgPtr',
      'ffi/sendmmsgPtr',
    ],
    framesPerOperation: BURST,
    run(count: number): void {
      for (let i = 0; i < count; i++) {
        const client = clients[i & 1]!;
        const socket = sockets[i & 1]!;
        client.sendView.setUint32(client.reserve(25), i, true);
        if (client.flush() !== 1) failures++;
        const n = socket.receive(BURST);
        for (let j = 0; j < n; j++) {
          if (socket.view.getUint32(socket.offset[j]!, true) !== i) failures++;
          socket.sendView.setUint32(socket.reply(j, socket.len[j]!), i, true);
        }
        if (socket.flush() !== 1) failures++;
        // The second call finds nothing, and asks for errno.
        if (client.receive(BURST) !== 1 || client.receive(BURST) !== 0) failures++;
      }
      expectNone();
    },
  },
];

export default cases;
