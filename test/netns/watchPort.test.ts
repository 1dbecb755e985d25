import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Burst } from '../../src/core/index.ts';
import { watchPort, XdpPort } from '../../src/port/index.ts';
import { deleteLink, nowNs, withNetns } from '../../src/sys/index.ts';
import { TEST_UDP_PORT } from '../support/frames.ts';
import { requireRoot } from '../support/requirements.ts';
import { type TestVeth, testVeth } from '../support/vethPair.ts';
import type { PacedSenderTask } from './pacedSender.ts';

const VIAS = ['uv_poll', 'thread'] as const;

/** Where pacedSender.ts puts its 12 bytes: behind Ethernet, IPv4 and UDP. */
const PAYLOAD = 42;

function openPort(veth: TestVeth): XdpPort {
  const { namespace, name } = veth.b;
  return withNetns(
    namespace,
    () => new XdpPort({ interface: name, flows: [{ port: TEST_UDP_PORT }], debug: true }),
  );
}

/** How fast to send, and where the receiver says how far it is. */
type Pace = Pick<PacedSenderTask, 'count' | 'burst' | 'intervalNs' | 'received'>;

const counter = (): Int32Array<SharedArrayBuffer> => new Int32Array(new SharedArrayBuffer(4));

/** Sends from the far end, from a thread of its own. Resolves when all is sent. */
async function send(veth: TestVeth, pace: Pace): Promise<void> {
  const peer = { address: veth.b.address, port: TEST_UDP_PORT };
  const workerData: PacedSenderTask = { namespacePath: veth.a.namespace.path, peer, ...pace };
  const worker = new Worker(new URL('./pacedSender.ts', import.meta.url), { workerData });
  await once(worker, 'exit');
}

/** Reads the numbers of the frames, and how late each is, into `late` [us]. */
function read(port: XdpPort, burst: Burst, late: number[]): number[] {
  const now = nowNs();
  return Array.from({ length: burst.count }, (_, i) => {
    const { view } = port.regions[burst.region[i]!]!;
    const payload = burst.addr[i]! + PAYLOAD;
    late.push((now - view.getFloat64(payload)) / 1e3);
    return view.getUint32(payload + 8);
  });
}

for (const via of VIAS) {
  test(`${via}: 100,000 paced frames arrive in order, none is lost`, { timeout: 60_000 }, async (t) => {
    if (!requireRoot(t)) return;
    using veth = testVeth();
    using port = openPort(veth);
    using watch = watchPort(port, { via });
    assert.equal(watch.via, via);
    const COUNT = 100_000;
    const received = counter();
    const sent = send(veth, { count: COUNT, burst: 32, intervalNs: 1e6, received });
    let next = 0;
    let bursts = 0;
    for await (const burst of watch) {
      bursts++;
      for (const number of read(port, burst, [])) assert.equal(number, next++);
      Atomics.store(received, 0, next);
      if (next === COUNT) break;
    }
    await sent;
    t.diagnostic(`${bursts} bursts`);
    assert.equal(port.statistics().rxFrames, COUNT);
  });

  test(`${via}: single frames are not left to the next timer`, { timeout: 60_000 }, async (t) => {
    if (!requireRoot(t)) return;
    using veth = testVeth();
    using port = openPort(veth);
    using watch = watchPort(port, { via });
    const late: number[] = [];
    const COUNT = 500;
    const all = new Promise<void>((resolve) => {
      watch.on('burst', (burst) => {
        read(port, burst, late);
        if (late.length === COUNT) resolve();
      });
    });
    await Promise.all([all, send(veth, { count: COUNT, burst: 1, intervalNs: 2e6, received: counter() })]);
    late.sort((a, b) => a - b);
    const [p50, p99] = [late[COUNT / 2]!, late[Math.floor(COUNT * 0.99)]!];
    t.diagnostic(`sent to received: p50 ${p50.toFixed(0)} us, p99 ${p99.toFixed(0)} us`);
    assert.ok(p50 < 2_000, `p50 ${p50} us`);
    assert.ok(
      late.at(-1)! < 400_000,
      `${late.at(-1)} us: the look for a removed interface found it, not the watch`,
    );
  });

  test(`${via}: a quiet port takes less than 1 % of a core`, { timeout: 60_000 }, async (t) => {
    if (!requireRoot(t)) return;
    using veth = testVeth();
    using port = openPort(veth);
    using watch = watchPort(port, { via });
    watch.on('burst', () => {});
    await send(veth, { count: 100, burst: 10, intervalNs: 1e6, received: counter() });
    await sleep(200);
    const start = process.cpuUsage();
    await sleep(2_000);
    const { user, system } = process.cpuUsage(start);
    const share = (user + system) / 2e6;
    t.diagnostic(`${(100 * share).toFixed(2)} % of a core`);
    assert.ok(share < 0.01, `${(100 * share).toFixed(2)} %`);
    assert.equal(port.statistics().rxFrames, 100);
  });

  test(`${via}: a removed interface ends the iteration with ENETDOWN`, { timeout: 60_000 }, async (t) => {
    if (!requireRoot(t)) return;
    using veth = testVeth();
    using port = openPort(veth);
    using watch = watchPort(port, { via });
    const next = watch[Symbol.asyncIterator]().next();
    await sleep(100);
    withNetns(veth.b.namespace, () => deleteLink(veth.b.name));
    const started = performance.now();
    await assert.rejects(next, { name: 'SystemError', code: 'ENETDOWN' });
    const ms = performance.now() - started;
    t.diagnostic(`noticed after ${ms.toFixed(0)} ms`);
    assert.ok(ms < 1_500, `${ms} ms`);
  });

  test(`${via}: a watch that waits keeps the process alive, and closing it lets the process end`, (t) => {
    if (!requireRoot(t)) return;
    const url = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
    const program = `
      import { watchPort, XdpPort } from ${url('../../src/port/index.ts')};
      import { withNetns } from ${url('../../src/sys/index.ts')};
      import { testVeth } from ${url('../support/vethPair.ts')};
      const { namespace, name } = testVeth().b;
      const port = withNetns(namespace, () => new XdpPort({ interface: name, flows: [{ port: 9000 }] }));
      const watch = watchPort(port, { via: '${via}' });
      setTimeout(() => {
        console.log('closing');
        watch.close();
        port.close();
      }, 700).unref();
      for await (const _ of watch);
      console.log('over');`;
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: 'closing\nover\n', stderr: '' });
  });
}

test('a listener that throws is an uncaught exception, and the next burst is delivered', () => {
  const url = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  const program = `
    import { Burst } from ${url('../../src/core/index.ts')};
    import { LoopPort, watchPort } from ${url('../../src/port/index.ts')};
    const [a, b] = LoopPort.pair();
    const watch = watchPort(b, { burst: 1 });
    process.on('uncaughtException', (error) => console.log(error.message));
    let bursts = 0;
    watch.on('burst', () => {
      if (++bursts === 2) watch.close();
      throw new Error('mine ' + bursts);
    });
    const out = new Burst(2);
    a.alloc(out, 2);
    out.len.fill(60);
    a.tx(out);`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: 'mine 1\nmine 2\n', stderr: '' });
});
