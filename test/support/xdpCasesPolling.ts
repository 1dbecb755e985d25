import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Burst } from '../../src/core/index.ts';
import { addNeighbour, nowNs, PollSet, withNetns } from '../../src/sys/index.ts';
import { POLLIN, POLLOUT } from '../../src/sys/uapi/index.ts';
import type { PacedSenderTask } from '../netns/pacedSender.ts';
import { TEST_UDP_PORT } from './frames.ts';
import { append, copyOf, frameOf, NumberedFlow, receive, sendAll, tagOf } from './xdpCasesFlow.ts';
import { RING, until, type XdpCases } from './xdpCasesRig.ts';

/** Waiting in poll(2), for frames and for room, and polling the driver ourselves. */
export const pollingCases: XdpCases = {
  'poll(2) sleeps until a frame arrives, every time': {
    async run(rig) {
      const { a, b } = rig.wire;
      const receiver = rig.openSocket(b);
      withNetns(a.namespace, () => addNeighbour(a.name, b.address, b.mac));
      const count = 40;
      const received = new Int32Array(new SharedArrayBuffer(4));
      const task: PacedSenderTask = {
        namespacePath: a.namespace.path,
        peer: { address: b.address, port: TEST_UDP_PORT },
        count,
        burst: 1,
        intervalNs: 10e6,
        received,
      };
      const worker = new Worker(new URL('../netns/pacedSender.ts', import.meta.url), { workerData: task });
      const ended = once(worker, 'exit');
      const sleeper = new PollSet([receiver.fd]);
      const burst = new Burst(64);
      const cpu = process.threadCpuUsage();
      const startNs = nowNs();
      until(
        () => {
          if (receiver.arm()) {
            assert.ok(sleeper.wait(20_000) > 0, 'nobody woke the receiver');
            assert.equal(sleeper.ready(0) & POLLIN, POLLIN);
            assert.equal(receiver.arm(), false, 'a frame is there');
          }
          Atomics.add(received, 0, receiver.rx(burst));
          receiver.recycle(burst);
          return received[0]! >= count;
        },
        () => `${count} datagrams, ${received[0]} came`,
      );
      const { user, system } = process.threadCpuUsage(cpu);
      const wallUs = (nowNs() - startNs) / 1e3;
      assert.ok(user + system < wallUs / 2, `used the core for ${user + system} of ${wallUs} us`);
      await ended;
    },
  },

  'poll(2) with nothing to receive returns after its time limit': {
    run(rig) {
      const receiver = rig.openSocket(rig.wire.b);
      const sleeper = new PollSet([receiver.fd]);
      for (const limitMs of [0, 1, 50]) {
        assert.ok(receiver.arm(), 'safe to sleep');
        const startNs = nowNs();
        assert.equal(sleeper.wait(limitMs), 0);
        assert.ok(nowNs() - startNs >= limitMs * 1e6 - 1e5, `${limitMs} ms`);
      }
    },
  },

  'poll(2) for room on the tx ring has the kernel send, without another call': {
    run(rig) {
      const sender = rig.openSocket(rig.wire.a);
      const receiver = rig.openSocket(rig.wire.b);
      const sleeper = new PollSet([sender.fd], POLLOUT);
      const burst = new Burst(32);
      for (let tag = 0; tag < 32; tag++) assert.ok(append(sender, burst, frameOf(rig, 'a', tag)));
      assert.equal(sender.tx(burst), 32);
      assert.equal(sleeper.wait(5000), 1);
      assert.equal(sleeper.ready(0) & POLLOUT, POLLOUT);
      assert.equal(receive(receiver, 32).length, 32);
      assert.equal(sender.statistics().txWakeups, 0);
    },
  },

  'poll(2) with a full tx ring waits for completions to be taken, and no longer': {
    run(rig) {
      const sender = rig.socket(rig.wire.a, {
        umem: rig.umem(),
        rxSize: 16,
        txSize: 64,
        keepCompletions: true,
      });
      const receiver = rig.openSocket(rig.wire.b);
      const sleeper = new PollSet([sender.fd], POLLOUT);
      const burst = new Burst(64);
      const done = new Burst(64);
      // The completion ring is as long as the tx ring: full of what nobody takes off, nothing more is sent.
      sendAll(
        sender,
        Array.from({ length: 64 }, (_, tag) => frameOf(rig, 'a', tag)),
      );
      receive(receiver, 64);
      for (let tag = 0; tag < 64; tag++) assert.ok(append(sender, burst, frameOf(rig, 'a', 64 + tag)));
      assert.equal(sender.tx(burst), 64);
      const startNs = nowNs();
      assert.equal(sleeper.wait(50), 0, 'no room is made');
      assert.ok(nowNs() - startNs >= 49e6, 'and it has waited');
      assert.equal(sender.completed(done), 64);
      sender.recycle(done);
      assert.equal(sleeper.wait(5000), 1, 'now it is');
      receive(receiver, 64);
      until(
        () => {
          sleeper.wait(0);
          sender.completed(done);
          sender.recycle(done);
          return sender.statistics().txCompleted === 128;
        },
        () => 'the last completions',
      );
    },
  },

  'a full tx ring refuses, and takes frames again once it was flushed': {
    run(rig) {
      const sender = rig.openSocket(rig.wire.a, { txSize: 16, umem: rig.umem() });
      const receiver = rig.openSocket(rig.wire.b);
      const burst = new Burst(20);
      for (let tag = 0; tag < 20; tag++) assert.ok(append(sender, burst, frameOf(rig, 'a', tag)));
      assert.equal(sender.tx(burst), 16);
      assert.equal(sender.statistics().txRefused, 4);
      burst.dropPrefix(16);
      // In zero-copy mode the driver takes frames in its own time, with or without a flush.
      if (rig.environment.mode === 'copy') assert.equal(sender.tx(burst), 0, 'none was sent yet');
      const arrived = new Set<number>();
      const incoming = new Burst(16);
      until(
        () => {
          sender.flush();
          burst.dropPrefix(sender.tx(burst));
          receiver.rx(incoming);
          for (let i = 0; i < incoming.count; i++) arrived.add(tagOf(copyOf(receiver, incoming, i)));
          receiver.recycle(incoming);
          return arrived.size === 20;
        },
        () => `room on the tx ring for 20 frames, of which ${arrived.size} arrived`,
      );
      assert.equal(sender.statistics().txFrames, 20);
    },
  },

  'busy polling carries frames, and says how it is done': {
    run(rig, t) {
      const sender = rig.openSocket(rig.wire.a);
      const opened = rig.open(rig.wire.b, { busyPoll: true });
      const [receiver] = opened.sockets;
      new NumberedFlow(rig, { from: 'a', sender, receivers: [receiver!], total: 8 * RING }).run();
      const { busyPoll } = opened;
      assert.ok(busyPoll !== undefined);
      assert.ok(busyPoll.usecs > 0);
      // Whether a socket has a NAPI to poll is known once frames came, and looked at once in so many idle polls.
      const burst = new Burst(1);
      for (let i = 0; i < 70_000; i++) assert.equal(receiver!.rx(burst), 0);
      if (busyPoll.engaged)
        assert.ok(receiver!.statistics().busyPolls > 0, 'the driver was polled from here');
      else assert.ok(opened.reasons.length > 0, 'it says why it is not');
      t.diagnostic(`engaged: ${busyPoll.engaged}; ${opened.reasons.join('; ') || 'as asked'}`);
    },
  },
};
