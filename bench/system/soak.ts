import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { siblingUrl } from '../../src/lane/index.ts';
import { makeWire } from '../../src/order/demo/makeWire.ts';
import type { Wire } from '../../src/order/demo/wire.ts';
import { allowedCores, NetworkNamespace, withNetns } from '../../src/sys/index.ts';
import type { BenchCase } from '../harness/benchCase.ts';
import { median } from '../harness/median.ts';
import { needsRoot } from './needsRoot.ts';
import { INJECTED_VIAS, startInjector } from './startInjector.ts';

/** V8 compiles, the book touches its pages, the heap finds its size: after that nothing may grow. */
const START_UP_SECONDS = 15;
const SAMPLE_MS = 200;
const RX_RING = 16_384;

/** The process of `barewire receive`, flooded with orders; what it holds in memory has to stay what it is. */
export const soak: BenchCase = {
  name: 'soak',
  about: 'resident size of the receiver process at full rate, after start-up',
  kind: 'system',
  vias: INJECTED_VIAS,
  needs: needsRoot,
  async run(context) {
    const seconds = context.seconds(60);
    using wire = makeWire(context.via ?? 'xdp', { rxRing: RX_RING });
    await using injector = startInjector(wire);
    const growthMiB: number[] = [];
    const growthShare: number[] = [];
    const residentMiB: number[] = [];
    const rates: number[] = [];
    for await (const _ of context.rounds(1)) {
      const child = startReceiver(wire, allowedCores().at(-1)!);
      const output = collect(child);
      try {
        await attached(child);
        await injector.ask({ seconds: START_UP_SECONDS, rate: undefined });
        const samples: number[] = [];
        const stop = new AbortController();
        const sampling = sample(child.pid!, samples, stop.signal);
        let orders = 0;
        let ns = 0;
        // A second a call, lest the flood outlast its time on a slower machine.
        while (ns < seconds * 1e9) {
          const injected = await injector.ask({ seconds: 1, rate: undefined });
          orders += injected.orders;
          ns += injected.ns;
        }
        stop.abort();
        await sampling;
        const fifth = Math.floor(samples.length / 5);
        const second = median(samples.slice(fifth, 2 * fifth));
        const last = median(samples.slice(-fifth));
        growthMiB.push((last - second) / 1024);
        growthShare.push((100 * (last - second)) / second);
        residentMiB.push(last / 1024);
        rates.push((orders / ns) * 1e3);
      } finally {
        child.kill('SIGINT');
        await output;
      }
      context.note(`soak: the receiver said ${(await output).trim().split('\n').at(-1)}`);
    }
    return [
      { figure: 'growth', unit: 'MiB', ours: growthMiB, target: { op: '<', value: 2 } },
      { figure: 'growth share', unit: '%', ours: growthShare, target: { op: '<', value: 2 } },
      { figure: 'resident', unit: 'MiB', ours: residentMiB },
      { figure: 'offered', unit: 'M orders/s', ours: rates },
    ];
  },
};

function startReceiver({ receiver, udpPort }: Wire, core: number): ChildProcess {
  const main = fileURLToPath(siblingUrl(import.meta.url, '../../src/cli/main'));
  const args = [
    'receive',
    '--via',
    receiver.via!,
    '--port',
    `${udpPort}`,
    '--orders',
    '65536',
    '--idle',
    'busySpin',
  ];
  const start = (): ChildProcess =>
    spawn(process.execPath, [main, ...args, '--core', `${core}`, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  if (receiver.netns === undefined) return start();
  // A process begins in the namespace of the thread that starts it.
  using namespace = NetworkNamespace.open(receiver.netns);
  return withNetns(namespace, start);
}

/** Resolves with all of standard output when the process is gone. */
async function collect(child: ChildProcess): Promise<string> {
  let text = '';
  child.stdout!.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  await once(child, 'close');
  return text;
}

/** Resolves when the receiver says that it receives; standard error goes on being read. */
async function attached(child: ChildProcess): Promise<void> {
  let text = '';
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  child.stderr!.setEncoding('utf8').on('data', (more: string) => {
    text += more;
    if (text.includes('Receiving on')) resolve();
  });
  child.once('exit', () => reject(new Error(`The receiver did not start: ${text}`)));
  await promise;
}

/** Adds the resident size of a process to `samples` until aborted. [KiB] */
async function sample(pid: number, samples: number[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    samples.push(Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]));
    await sleep(SAMPLE_MS);
  }
}
