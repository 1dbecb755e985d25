import type { AllocationCase } from '../../tools/allocationCase.ts';
import { nowNs } from './clock.ts';
import { Doorbell } from './doorbell.ts';
import { EventFd } from './eventfd.ts';
import { PollSet } from './poll.ts';

// Every operation is one that a lane makes once a burst. UdpSocket is measured below a source, in order/udpSource.alloc.ts:
// most of the time goes by in the kernel, and once is enough.

const BURST = 64;

// Two of each, in turns: of an object that is the only one of its class, V8 folds the fields into the code, and finds
// out too little of what reading them costs.
const events = [EventFd.create('allocation'), EventFd.create('allocation')];
const bells = [new Doorbell('allocation'), new Doorbell('allocation')];
const sets = events.map((event) => new PollSet([event.fd]));

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
      }
      expectNone();
    },
  },
  {
    name: 'doorbell',
    covers: ['Doorbell.ring', 'Submission.submit'],
    framesPerOperation: BURST,
    run(count: number): void {
      for (let i = 0; i < count; i++) {
        if (bells[i & 1]!.ring(events[i & 1]!.fd) !== 0) failures++;
      }
      for (const event of events) if (event.drain() === 0) failures++;
      expectNone();
    },
  },
];

export default cases;
