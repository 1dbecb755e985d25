import type { AllocationCase } from '../../tools/allocationCase.ts';
import { nowNs } from './clock.ts';
import { EventFd } from './eventfd.ts';
import { PollSet } from './poll.ts';
import { UdpSocket } from './udpSocket.ts';

/** Frames of a burst: a system call is made once for so many operations. */
const BURST = 64;

const event = EventFd.create('allocation');
const set = new PollSet([event.fd]);
const socket = new UdpSocket({ address: '127.0.0.1' });
const client = new UdpSocket({ address: '127.0.0.1', peer: socket.local });

/** Consumed by nobody; keeps the loops from being optimised away. */
let seen = 0;

function clock(count: number): void {
  for (let i = 0; i < count; i++) seen = nowNs() > 0 ? 1 : 0;
}

function wake(count: number): void {
  for (let i = 0; i < count; i += BURST) {
    event.signal();
    set.wait(0);
    for (let j = 0; j < BURST; j++) seen ^= set.ready(0);
    seen += event.drain();
    seen = (seen + set.wait(0)) & 1;
  }
}

/** One datagram there and back for each burst: 16 bytes in any of the calls would be 0.25 for an operation. */
function answer(count: number): void {
  for (let i = 0; i < count; i += BURST) {
    client.sendView.setUint32(client.reserve(25), i, true);
    client.flush();
    const n = socket.receive(BURST);
    for (let j = 0; j < n; j++) {
      seen ^= socket.view.getUint8(socket.offset[j]!);
      socket.sendView.setUint32(socket.reply(j, socket.len[j]!), i, true);
    }
    socket.flush();
    seen = (seen + client.receive(BURST) + client.receive(BURST)) & 1;
  }
}

const udp = ['receive', 'reply', 'reserve', 'flush'].map((name) => `UdpSocket.${name}`);
const slots = ['receivedLen', 'receivedFlags', 'setLen', 'copyName'].map((name) => `DatagramSlots.${name}`);

const cases: AllocationCase[] = [
  { name: 'clock', covers: ['nowNs'], run: clock },
  {
    name: 'eventfd and poll, once a burst',
    covers: ['EventFd.signal', 'EventFd.drain', 'PollSet.wait', 'PollSet.ready'],
    run: wake,
  },
  { name: 'UDP round trip, once a burst', covers: [...udp, ...slots, 'softErrno'], run: answer },
];

export default cases;
