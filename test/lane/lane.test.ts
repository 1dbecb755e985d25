import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type IdleName, Lane, type LaneSpec, siblingUrl } from '../../src/lane/index.ts';
import {
  allowedCores,
  EventFd,
  isolatedCores,
  leakedFds,
  NetworkNamespace,
  nowNs,
  PollSet,
  parseCores,
  SystemError,
} from '../../src/sys/index.ts';
import { miss, requireRoot } from '../support/requirements.ts';

const module = siblingUrl(import.meta.url, './programs');
const IDLE: readonly IdleName[] = ['busySpin', 'yield', 'backoff', 'block'];
const ROUNDS = process.env.BAREWIRE_SOAK === '1' ? 1_000 : 10;

const start = (program: string, spec: Omit<LaneSpec, 'module'> = {}): Promise<Lane> =>
  Lane.start({ module, export: program, ...spec });

/** Runs a program that ends by itself. */
async function run(program: string, spec: Omit<LaneSpec, 'module'> = {}): Promise<unknown> {
  return (await start(program, spec)).done;
}

/** The error that a promise rejects with. */
async function errorOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  return assert.fail('no error');
}

/** A line of a thread's status. */
function statusOf(tid: number, key: string): string {
  const status = readFileSync(`/proc/self/task/${tid}/status`, 'utf8');
  return new RegExp(`^${key}:\\s*(.*)$`, 'm').exec(status)![1]!;
}

const coresOf = (tid: number): number[] => parseCores(statusOf(tid, 'Cpus_allowed_list'));
const threads = (): number[] => readdirSync('/proc/self/task').map(Number);

/** Time that a thread has run. [ns] */
function cpuNsOf(tid: number): number {
  return Number(readFileSync(`/proc/self/task/${tid}/schedstat`, 'utf8').split(' ')[0]);
}

test('a lane stops within 100 ms under every idle strategy, with work and without', async () => {
  using silent = EventFd.create('silent');
  for (const idle of IDLE) {
    for (const [program, data] of [['idle'], ['idle', { fd: silent.fd }], ['busy']] as const) {
      // A machine that is busy with other things can hold a thread up: the best of three counts.
      let best = Number.POSITIVE_INFINITY;
      for (let attempt = 0; attempt < 3 && best > 100; attempt++) {
        const lane = await start(program, { idle, data });
        await delay(20);
        const asked = performance.now();
        await lane.stop();
        best = Math.min(best, performance.now() - asked);
        assert.equal(await lane.done, undefined);
      }
      assert.ok(best <= 100, `${idle}, ${program}: ${best} ms`);
    }
  }
});

test('a result reaches the owner after close(), and the program learns where it runs', async () => {
  const shared = new SharedArrayBuffer(4);
  const before = nowNs();
  const result = await run('countdown', { name: 'count', data: { polls: 100, shared } });
  const { nowNs: stamp, ...rest } = result as { nowNs: number };
  assert.deepEqual(rest, { name: 'count', core: undefined, polls: 100, seen: ['close'] });
  assert.ok(stamp > before && stamp < nowNs());
  assert.equal(new Int32Array(shared)[0], 7, 'shared memory stays shared');
});

test('a lane that stops itself makes no further pass', async () => {
  for (const polls of [1, 5, 16, 17]) {
    const lane = await start('countdown', { data: { polls, shared: new SharedArrayBuffer(4) } });
    const { polls: made } = (await lane.done) as { polls: number };
    assert.equal(made, polls);
    assert.equal(lane.statistics().passes, polls);
    assert.equal(lane.statistics().work, polls);
  }
});

test('the report of a program reaches the owner when the lane runs', async () => {
  await using lane = await start('reports');
  assert.deepEqual(lane.programReport, { via: 'test' });
});

test('an error before the loop rejects start(), with everything it carried', async () => {
  const error = await errorOf(start('failsInFactory'));
  assert.ok(error instanceof SystemError);
  assert.deepEqual(
    [error.code, error.errno, error.syscall, error.subject],
    ['EBUSY', -16, 'bind(AF_XDP)', 'eth0 queue 3'],
  );
  assert.match(error.hint!, /Another AF_XDP socket/);
  assert.match(error.stack!, /programs/);

  const cases: [program: string, message: RegExp][] = [
    ['missing', /programs\.\w+ must export a function missing, got undefined/],
    ['notAFunction', /must export a function notAFunction, got number/],
    ['isAsync', /isAsync of .* must return \{ pollables \}, got a promise/],
    ['hasNoPollables', /must return \{ pollables \}/],
    ['hasBadPollable', /must return \{ pollables \}/],
    ['exitsInFactory', /its thread exited with code 4/],
    ['reportCannotCross', /could not be cloned/],
  ];
  for (const [program, message] of cases) assert.match((await errorOf(start(program))).message, message);
});

test('a module that is missing, broken, or fails in the background while it loads rejects start()', async () => {
  const load = (url: string): Promise<Error> => errorOf(Lane.start({ module: url }));
  const missing = await load(new URL('./nowhere.ts', import.meta.url).href);
  assert.equal((missing as NodeJS.ErrnoException).code, 'ERR_MODULE_NOT_FOUND');
  assert.ok((await load('data:text/javascript,export const = 1')) instanceof SyntaxError);
  const background = await load(`data:text/javascript,
    import { SystemError } from '${siblingUrl(import.meta.url, '../../src/sys/index').href}';
    setTimeout(() => { throw new SystemError('Cannot read', { syscall: 'read', errno: 5 }); });
    await new Promise(() => {});`);
  assert.ok(background instanceof SystemError);
  assert.equal(background.code, 'EIO');
});

test('an error of a running lane rejects done once, and stop() never', async () => {
  for (const program of [
    'failsInPoll',
    'failsInArm',
    'failsInClose',
    'failsInResult',
    'failsInPollAndClose',
  ]) {
    const lane = await start(program, { idle: 'block' });
    let rejections = 0;
    lane.done.catch(() => rejections++);
    const error = await errorOf(lane.done);
    assert.ok(error instanceof SystemError, program);
    assert.equal(error.code, 'EBUSY');
    await lane.stop();
    await lane.stop();
    assert.equal(rejections, 1);
    const { suppressed } = error as Error & { suppressed?: Error };
    assert.equal(suppressed?.message, program === 'failsInPollAndClose' ? 'close too' : undefined);
  }
  assert.match((await errorOf(run('throwsText'))).message, /'text'/);
  assert.match((await errorOf(run('exits'))).message, /exited with code 3/);
  assert.match((await errorOf(run('resultCannotCross'))).message, /could not be cloned/);
});

test('a lane whose fd is closed under it ends with the number of that fd', async () => {
  const error = await errorOf(run('closesItsFd', { idle: 'block' }));
  assert.ok(error instanceof SystemError);
  assert.equal(error.code, 'EBADF');
  assert.match(error.subject!, /^fd \d+$/);
});

test('a program that hangs is cut off, and done says so', async () => {
  const hanging = new SharedArrayBuffer(4);
  const lane = await start('hangs', { data: hanging, stopTimeoutMs: 50 });
  while (Atomics.load(new Int32Array(hanging), 0) === 0) await delay(1);
  const done = errorOf(lane.done);
  await lane.stop();
  assert.match((await done).message, /Cannot stop lane programs within 50 ms: its program did not return/);
});

test('what a program leaves in the event loop does not keep its lane alive', async () => {
  assert.equal(await run('leavesTimer'), undefined);
});

test('stop() is idempotent, and resolves when the thread is gone', async () => {
  const lane = await start('idle', { idle: 'yield' });
  const { tid } = lane.report;
  assert.ok(threads().includes(tid));
  const stopping = lane.stop();
  assert.equal(lane.stop(), stopping);
  await stopping;
  assert.ok(!threads().includes(tid));
  await lane.stop();
  await lane.done;
});

test('a lane that leaves its scope is stopped', async () => {
  let tid: number;
  {
    await using lane = await start('idle');
    tid = lane.report.tid;
  }
  assert.ok(!threads().includes(tid));
});

test('the owner reads the counters of a lane that spins', async () => {
  await using lane = await start('busy', { idle: 'busySpin', budget: 7, name: 'busy one' });
  assert.deepEqual(lane.counters.spec.labels, { lane: 'busy one' });
  const first = lane.statistics();
  await delay(50);
  const second = lane.statistics();
  assert.ok(second.passes > first.passes + 100);
  assert.equal(second.work % 7, 0);
  assert.ok(second.work > first.work);
  assert.deepEqual([second.idlePasses, second.sleeps, second.wakeups], [0, 0, 0]);
});

test('the thread of a lane bears its name', async () => {
  await using lane = await start('idle', { name: 'orders' });
  assert.equal(statusOf(lane.report.tid, 'Name'), 'orders');
  assert.equal(lane.report.name, 'orders');
});

test('block wakes within milliseconds, and takes next to no time while there is nothing to do', async () => {
  using ping = EventFd.create('ping');
  using pong = EventFd.create('pong');
  const answer = new PollSet([pong.fd]);
  await using lane = await start('echo', { idle: 'block', data: { ping: ping.fd, pong: pong.fd } });
  assert.deepEqual(lane.report.reasons, []);

  const latencies: number[] = [];
  for (let i = 0; i < 50; i++) {
    await delay(2);
    const sent = performance.now();
    ping.signal();
    assert.equal(answer.wait(1_000), 1);
    latencies.push(performance.now() - sent);
    pong.drain();
  }
  latencies.sort((a, b) => a - b);
  assert.ok(latencies[25]! < 5, `median of ${latencies[25]} ms`);
  await delay(60); // until the round with the last wake-up is counted
  assert.ok(lane.statistics().wakeups >= 50, `${lane.statistics().wakeups} wake-ups`);
  assert.equal(lane.statistics().work, 50);

  const before = cpuNsOf(lane.report.tid);
  await delay(500);
  const busyNs = cpuNsOf(lane.report.tid) - before;
  assert.ok(busyNs < 10e6, `${busyNs / 5e6} % of a core`);
});

test('a stop wakes a lane that sleeps', async () => {
  using silent = EventFd.create('silent');
  const lane = await start('idle', { idle: 'block', data: { fd: silent.fd } });
  while (lane.statistics().passes === 0) await delay(5);
  await delay(5);
  assert.equal(lane.statistics().wakeups, 0);
  await lane.stop();
  assert.equal(lane.statistics().wakeups, 1);
});

test('block does not spin for a pollable that nothing can wake, and says what that means', async () => {
  using silent = EventFd.create('silent');
  for (const [program, data, reasons] of [
    ['idle', undefined, 1],
    ['refusesToSleep', { fd: silent.fd }, 0],
  ] as const) {
    await using lane = await start(program, { idle: 'block', data });
    assert.equal(lane.report.reasons.length, reasons);
    const before = lane.statistics().passes;
    await delay(200);
    const passes = lane.statistics().passes - before;
    assert.ok(passes > 2 && passes < 300, `${program}: ${passes} passes in 200 ms`);
  }
  assert.match(
    (await errorOf(start('idle', { idle: 'block', strict: true }))).message,
    /as asked: block wakes up/,
  );
});

test('backoff takes a small part of a core while there is nothing to do', async () => {
  await using lane = await start('idle', { idle: 'backoff' });
  await delay(50);
  const before = cpuNsOf(lane.report.tid);
  await delay(500);
  const busyNs = cpuNsOf(lane.report.tid) - before;
  assert.ok(busyNs < 100e6, `${busyNs / 5e6} % of a core`);
});

test('a pinned lane has its core for itself, and the others get it back afterwards', async (t) => {
  const all = allowedCores();
  if (all.length < 2) return void miss(t, 'needs two cores');
  const core = all.at(-1)!;
  const lane = await start('idle', { core, strict: true });
  assert.equal(lane.report.core, core);
  assert.deepEqual(coresOf(lane.report.tid), [core]);
  assert.deepEqual(lane.report.reasons, []);
  const others = all.filter((one) => one !== core && !isolatedCores().includes(one));
  for (const tid of threads())
    if (tid !== lane.report.tid) assert.deepEqual(coresOf(tid), others, `thread ${tid}`);

  const second = await start('idle', { core: others[0]! });
  assert.deepEqual(coresOf(lane.report.tid), [core], 'a second lane leaves the first where it is');
  assert.deepEqual(coresOf(second.report.tid), [others[0]]);
  await second.stop();
  assert.deepEqual(allowedCores(), others);
  await lane.stop();
  assert.deepEqual(allowedCores(), all);
});

test('lanes that start at the same time all end up on their cores', async (t) => {
  const all = allowedCores();
  if (all.length < 2) return void miss(t, 'needs two cores');
  const cores = [all[0]!, all[1]!, all[0]!, all[1]!];
  const lanes = await Promise.all(cores.map((core) => start('idle', { core })));
  for (const [i, lane] of lanes.entries()) assert.deepEqual(coresOf(lane.report.tid), [cores[i]]);
  assert.match(lanes[2]!.report.reasons.join(), new RegExp(`core ${cores[2]} has another lane already`));
  await Promise.all(lanes.map((lane) => lane.stop()));
});

test('a core that is not there is reported, or refused under strict', async () => {
  await using lane = await start('idle', { core: 1000 });
  assert.equal(lane.report.core, undefined);
  assert.match(lane.report.reasons[0]!, /core 1000: EINVAL/);
  const error = await errorOf(start('idle', { core: 1000, strict: true }));
  assert.ok(error instanceof SystemError);
  assert.equal(error.syscall, 'sched_setaffinity');
});

test("real-time scheduling is the lane's alone, and is not passed on", async (t) => {
  if (!requireRoot(t)) return;
  await using lane = await start('idle', { realtime: 1 });
  assert.equal(lane.report.policy, 'fifo');
  assert.deepEqual(lane.report.reasons, []);
  for (const tid of threads()) assert.equal(policyOf(tid), tid === lane.report.tid ? 1 : 0, `thread ${tid}`);
});

test('a real-time lane that never sleeps is refused under strict when its core is not isolated', async () => {
  const core = allowedCores().find((one) => !isolatedCores().includes(one))!;
  const spec = { realtime: 1, core, strict: true } as const;
  assert.match(
    (await errorOf(start('idle', { ...spec, idle: 'busySpin' }))).message,
    /real-time lane with busySpin/,
  );
  assert.match(
    (await errorOf(start('idle', { ...spec, idle: 'yield' }))).message,
    /real-time lane with yield/,
  );
});

test('a lane lives in the namespace that it was given, and its owner does not', async (t) => {
  if (!requireRoot(t)) return;
  using home = NetworkNamespace.current();
  using other = NetworkNamespace.create();
  assert.equal(await run('whereAmI', { netns: other.path }), other.id);
  assert.equal(await run('whereAmI'), home.id);
  using still = NetworkNamespace.current();
  assert.equal(still.id, home.id);
  const error = await errorOf(start('idle', { netns: '/run/netns/nowhere' }));
  assert.ok(error instanceof SystemError);
  assert.equal(error.code, 'ENOENT');
});

test('data that cannot be cloned, and a spec that makes no sense, reject start()', async () => {
  assert.match((await errorOf(start('idle', { data: () => 1 }))).message, /could not be cloned/);
  assert.match((await errorOf(Lane.start({ module: './programs.ts' }))).message, /absolute path/);
});

test('transferred memory moves to the lane', async () => {
  const memory = new ArrayBuffer(8);
  await using lane = await start('idle', { data: { memory }, transfer: [memory] });
  assert.equal(lane.name, 'programs');
  assert.equal(memory.detached, true);
});

test('starting and stopping lanes over and over leaks no fd and no thread', async () => {
  await run('leavesTimer');
  const fds = readdirSync('/proc/self/fd').length;
  const before = threads().length;
  for (let i = 0; i < ROUNDS; i++) {
    await using _lane = await start('idle', { idle: IDLE[i % IDLE.length]! });
  }
  assert.deepEqual(
    leakedFds().map(({ what }) => what),
    [],
  );
  assert.equal(readdirSync('/proc/self/fd').length, fds);
  assert.equal(threads().length, before);
});

/** The scheduling policy of a thread as /proc/PID/stat has it, its 41st field. */
function policyOf(tid: number): number {
  const stat = readFileSync(`/proc/self/task/${tid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[38]);
}
