import { parentPort, workerData } from 'node:worker_threads';
import { EventFd } from './eventfd.ts';
import { PollSet } from './poll.ts';
import { WatchOrder, type WatchTask, WatchWord } from './watchThread.ts';

// The helper thread of a ThreadWatch: sleeps in poll(2) until there is an order or, under one to watch, news; posts one
// message for each such order: 0. A positive errno of poll(2) instead is its last.

/** Longest sleep: a thread inside an endless system call could not be ended with its process. [ms] */
const MAX_SLEEP_MS = 50;

const { fds, wakeFd, words } = workerData as WatchTask;
const { order, polling } = WatchWord;
const wake = EventFd.borrow(wakeFd);
const orders = new PollSet([wakeFd]);
const everything = new PollSet([wakeFd, ...fds]);

// NB: in this sequence. Either close() sees that we poll and waits, or we see its order and touch nothing.
Atomics.store(words, polling, 1);
try {
  for (;;) {
    const current = Atomics.load(words, order);
    if (current === WatchOrder.end) break;
    const set = current === WatchOrder.watch ? everything : orders;
    const ready = set.wait(MAX_SLEEP_MS);
    if (ready < 0) {
      parentPort?.postMessage(-ready);
      break;
    }
    if (ready === 0) continue;
    if (set.ready(0) !== 0) wake.drain();
    else if (Atomics.compareExchange(words, order, WatchOrder.watch, WatchOrder.rest) === WatchOrder.watch) {
      parentPort?.postMessage(0);
    }
  }
} finally {
  Atomics.store(words, polling, 0);
  Atomics.store(words, order, WatchOrder.ended);
  Atomics.notify(words, order);
}
