import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Burst } from '../core/index.ts';
import { EventFd } from '../sys/index.ts';
import { LoopPort } from './loopPort.ts';
import type { Port } from './port.ts';
import { watchPort } from './watchPort.ts';

/** A wire whose receiving end has a descriptor to sleep on, and does what `hooks` say. */
class Wire implements Disposable {
  readonly port: Port;
  readonly loop: LoopPort;
  readonly hooks: { beforeRx?: () => void; afterArm?: () => boolean } = {};
  rxCalls = 0;
  readonly #sender: LoopPort;
  readonly #event = EventFd.create('test port');
  readonly #out = new Burst(64);
  #sent = 0;

  constructor() {
    const [sender, receiver] = LoopPort.pair({ debug: true });
    this.#sender = sender;
    this.loop = receiver;
    this.port = new Proxy(receiver, {
      get: (target, name) => {
        if (name === 'fds') return [this.#event.fd];
        if (name === 'rx') return (burst: Burst) => this.#rx(burst);
        if (name === 'arm') return () => this.#arm();
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  /** Sends frames whose first words count up. */
  send(count: number): void {
    this.#out.clear();
    assert.equal(this.#sender.alloc(this.#out, count), count);
    for (let i = 0; i < count; i++) {
      this.#out.len[i] = 60;
      this.#sender.regions[this.#out.region[i]!]!.view.setUint32(this.#out.addr[i]!, this.#sent++);
    }
    assert.equal(this.#sender.tx(this.#out), count);
    this.#event.signal();
  }

  /** The first words of the frames in a burst. */
  numbers(burst: Burst): number[] {
    return Array.from({ length: burst.count }, (_, i) =>
      this.port.regions[burst.region[i]!]!.view.getUint32(burst.addr[i]!),
    );
  }

  /** Whether no frame is on its way. */
  get idle(): boolean {
    return this.#sender.statistics().txFrames === this.loop.statistics().rxFrames;
  }

  /** Fails unless every chunk is free. */
  assertAllReturned(): void {
    for (const { free, count } of this.loop.pools) assert.equal(free, count);
  }

  [Symbol.dispose](): void {
    this.#sender.close();
    this.loop.close();
    this.#event.close();
  }

  #rx(burst: Burst): number {
    this.rxCalls++;
    this.hooks.beforeRx?.();
    return this.loop.rx(burst);
  }

  #arm(): boolean {
    this.#event.drain();
    return this.hooks.afterArm?.() ?? this.idle;
  }
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

for (const via of ['uv_poll', 'thread'] as const) {
  test(`${via}: an iterator gets every frame in order and recycles each burst`, async () => {
    using wire = new Wire();
    using watch = watchPort(wire.port, { burst: 8, via });
    assert.equal(watch.via, via);
    const got: number[] = [];
    wire.send(20);
    setTimeout(() => wire.send(20), 30);
    for await (const burst of watch) {
      assert.ok(burst.count <= 8);
      got.push(...wire.numbers(burst));
      if (got.length >= 40) break;
    }
    assert.deepEqual(got, range(0, 40));
    wire.assertAllReturned();
  });

  test(`${via}: listeners get every frame in order, and each burst is recycled after them`, async () => {
    using wire = new Wire();
    using watch = watchPort(wire.port, { burst: 8, via });
    const got: number[] = [];
    const all = new Promise<void>((resolve) => {
      watch.on('burst', (burst) => {
        got.push(...wire.numbers(burst));
        if (got.length === 40) resolve();
      });
    });
    wire.send(20);
    setTimeout(() => wire.send(20), 30);
    await all;
    assert.deepEqual(got, range(0, 40));
    await sleep(0);
    wire.assertAllReturned();
  });
}

test('frames that arrive between rx() and sleep are not waited for', async () => {
  using wire = new Wire();
  using watch = watchPort(wire.port);
  const got: number[] = [];
  let armed = 0;
  // At the worst moment: arm() has looked, the watch has not been armed yet.
  wire.hooks.afterArm = () => {
    const { idle } = wire;
    if (idle && ++armed <= 20) wire.send(1);
    return idle;
  };
  const started = performance.now();
  for await (const burst of watch) {
    got.push(...wire.numbers(burst));
    if (got.length === 20) break;
  }
  assert.deepEqual(got, range(0, 20));
  assert.ok(performance.now() - started < 400, 'the look for a removed interface found them, not the watch');
});

test('chunks that the consumer took out of the burst stay its own', async () => {
  using wire = new Wire();
  using watch = watchPort(wire.port);
  const kept: number[] = [];
  wire.send(3);
  for await (const burst of watch) {
    kept.push(burst.addr[0]!);
    burst.dropPrefix(1);
    break;
  }
  const [sending] = wire.loop.pools;
  assert.equal(sending!.count - sending!.free, 1);
  sending!.put(kept[0]!);
});

test('leaving the loop closes the watch, and the port can be watched again', async () => {
  using wire = new Wire();
  for (let round = 0; round < 3; round++) {
    const watch = watchPort(wire.port);
    let closed = 0;
    watch.on('close', () => closed++);
    wire.send(1);
    for await (const burst of watch) {
      assert.deepEqual(wire.numbers(burst), [round]);
      break;
    }
    assert.equal(closed, 1);
    watch.close();
    assert.equal(closed, 1);
  }
});

test('close() ends an iteration that waits, and one whose burst is in hand', async () => {
  using wire = new Wire();
  const waiting = watchPort(wire.port);
  const iterator = waiting[Symbol.asyncIterator]();
  const next = iterator.next();
  setTimeout(() => waiting.close(), 10);
  assert.deepEqual(await next, { value: undefined, done: true });

  const busy = watchPort(wire.port);
  wire.send(2);
  let bursts = 0;
  for await (const burst of busy) {
    bursts++;
    busy.close();
    assert.equal(burst.count, 0);
  }
  assert.equal(bursts, 1);
  wire.assertAllReturned();
});

test('an error of the port is thrown by the iterator, and emitted to listeners', async () => {
  using wire = new Wire();
  const gone = new Error('the interface is gone');
  const fail = (): void => {
    throw gone;
  };
  const iterated = watchPort(wire.port);
  setTimeout(() => {
    wire.hooks.beforeRx = fail;
    wire.send(1);
  }, 10);
  await assert.rejects(async () => {
    for await (const _ of iterated) assert.fail('nothing arrived');
  }, gone);

  const listened = watchPort(wire.port);
  listened.on('burst', () => assert.fail('nothing arrived'));
  const closed = once(listened, 'close').catch((error: unknown) => error);
  const [error] = await once(listened, 'error');
  assert.equal(error, gone);
  await closed;
});

for (const via of ['timer', 'thread'] as const) {
  test(`${via}: the end of the port ends an iteration, and is told to listeners`, async () => {
    const ended = (): { wire: Wire; port: Port } => {
      const wire = new Wire();
      wire.send(3);
      const port = new Proxy(wire.port, {
        get: (target, name): unknown => {
          if (name === 'ended') return wire.idle;
          if (name === 'fds' && via === 'timer') return [];
          return Reflect.get(target, name, target);
        },
      });
      return { wire, port };
    };
    const iterated = ended();
    const got: number[] = [];
    for await (const burst of watchPort(iterated.port, { burst: 2, via: 'thread' })) {
      got.push(...iterated.wire.numbers(burst));
    }
    assert.deepEqual(got, [0, 1, 2]);
    iterated.wire.assertAllReturned();

    const listened = ended();
    const events: string[] = [];
    const watch = watchPort(listened.port, { burst: 2, via: 'thread' });
    watch.on('end', () => events.push('end'));
    watch.on('burst', (burst) => events.push(`${burst.count}`));
    await once(watch, 'close');
    assert.deepEqual(events, ['2', '1', 'end']);
    for (const { wire } of [iterated, listened]) wire[Symbol.dispose]();
  });
}

test('a port that wakes nobody when it fails is asked by and by', async () => {
  using wire = new Wire();
  const gone = new Error('the interface is gone');
  using watch = watchPort(wire.port);
  const next = watch[Symbol.asyncIterator]().next();
  await sleep(10);
  wire.hooks.beforeRx = () => {
    throw gone;
  };
  const started = performance.now();
  const alive = setInterval(() => {}, 1_000);
  await assert.rejects(next, gone);
  clearInterval(alive);
  assert.ok(performance.now() - started < 1_500);
});

test('a watch has one consumer', () => {
  using wire = new Wire();
  using iterated = watchPort(wire.port);
  iterated[Symbol.asyncIterator]();
  const twice = /^Error: Cannot receive from the watch of loop: twice: it has iterator already$/;
  assert.throws(() => iterated[Symbol.asyncIterator](), twice);
  assert.throws(() => iterated.on('burst', () => {}), twice);
  iterated.close();
  using listened = watchPort(wire.port);
  listened.on('burst', () => {}).on('burst', () => {});
  assert.throws(() => listened[Symbol.asyncIterator](), /it has listeners already$/);
});

test('without listeners nothing is taken from the port, and later ones get it', async () => {
  using wire = new Wire();
  using watch = watchPort(wire.port, { burst: 1 });
  wire.send(3);
  const got: number[] = [];
  for (let i = 0; i < 3; i++) {
    watch.once('burst', (burst) => got.push(...wire.numbers(burst)));
    await sleep(5);
    assert.deepEqual(got, range(0, i + 1));
  }
});

test('a consumer that takes its time is left alone', async () => {
  using wire = new Wire();
  using watch = watchPort(wire.port);
  wire.send(1);
  for await (const burst of watch) {
    if (wire.numbers(burst)[0] === 1) break;
    const calls = wire.rxCalls;
    wire.send(1);
    const cpu = process.cpuUsage();
    await sleep(200);
    const { user, system } = process.cpuUsage(cpu);
    assert.equal(wire.rxCalls, calls);
    assert.ok((user + system) / 1e3 < 20, `${(user + system) / 1e3} ms of CPU in 200 ms`);
  }
});

for (const how of ['iterator', 'listeners'] as const) {
  test(`${how}: frames without end leave the event loop its turns`, async () => {
    using wire = new Wire();
    using watch = watchPort(wire.port);
    wire.hooks.beforeRx = () => wire.send(1);
    let bursts = 0;
    let ticks = 0;
    const timer = setInterval(() => ++ticks === 3 && watch.close(), 1);
    const count = (): void => {
      if (++bursts === 1e6) watch.close();
    };
    if (how === 'iterator') for await (const _ of watch) count();
    else await once(watch.on('burst', count), 'close');
    clearInterval(timer);
    assert.equal(ticks, 3);
  });
}

test('a port that can never be armed is looked at each millisecond, and does not make the process spin', async () => {
  using wire = new Wire();
  using watch = watchPort(wire.port);
  wire.hooks.afterArm = () => false;
  const next = watch[Symbol.asyncIterator]().next();
  await sleep(100);
  assert.ok(wire.rxCalls > 20 && wire.rxCalls <= 2 * 101, `${wire.rxCalls} looks in 100 ms`);
  wire.send(1);
  assert.equal((await next).done, false);
});

test('a port without descriptors is looked at each millisecond, and the watch says so', async () => {
  const [a, b] = LoopPort.pair();
  using watch = watchPort(b);
  assert.deepEqual([watch.via, watch.reason], ['timer', 'loop: has no descriptors']);
  const out = new Burst(1);
  a.alloc(out, 1);
  out.len[0] = 60;
  setTimeout(() => a.tx(out), 5);
  for await (const burst of watch) {
    assert.equal(burst.len[0], 60);
    break;
  }
  a.close();
  b.close();
});

test('timestamps and capacity of the burst are as asked', async () => {
  using wire = new Wire();
  using watch = watchPort(wire.port, { burst: 5, timestamps: true });
  wire.send(7);
  for await (const burst of watch) {
    assert.equal(burst.count, 5);
    assert.equal(burst.timestampNs?.length, 5);
    break;
  }
  assert.throws(() => watchPort(wire.port, { burst: 0 }), RangeError);
});
