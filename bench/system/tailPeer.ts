import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Histogram } from '../../src/core/index.ts';
import { ORDER_LEN } from '../../src/order/index.ts';
import { NetworkNamespace, withNetns } from '../../src/sys/index.ts';
import { UdpFrameTemplate } from '../../src/wire/index.ts';
import { GRACE_SECONDS, writeTrip } from './rttTrip.ts';
import type { TailEnd, TailTask } from './tailEnds.ts';

const SOURCE = fileURLToPath(new URL('../peers/tail.c', import.meta.url));

/** The C program that does what the two ends of the `tail` case do, built when it is wanted and removed with it. */
export class TailPeer implements Disposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Builds it.
   *
   * @param compiler - the program that turns C into programs
   * @returns why that cannot be done when it cannot, such as `there is no C compiler (cc)`
   */
  static build(compiler: string = process.env.CC ?? 'cc'): TailPeer | string {
    const folder = mkdtempSync(join(tmpdir(), 'barewire-tail-'));
    const peer = new TailPeer(folder);
    const args = ['-O3', '-march=native', '-o', peer.#program, SOURCE];
    const { error, status, stderr } = spawnSync(compiler, args, { encoding: 'utf8' });
    if (status === 0) return peer;
    peer[Symbol.dispose]();
    if (error !== undefined) return `there is no C compiler (${compiler})`;
    const said = stderr.split('\n').find((line) => line.includes('error'));
    return `${compiler} says ${said ?? `exit code ${status}`}`;
  }

  /** Measures. @throws Error when one of the two programs fails, with what it said */
  async measure(client: TailEnd, echo: TailEnd, task: TailTask): Promise<Histogram> {
    const { seconds, warmUpSeconds, rate } = task;
    const total = seconds + warmUpSeconds;
    const answering = this.#start(echo, [echo.ends.destinationPort, total + GRACE_SECONDS]);
    try {
      const answered = ended(answering);
      await Promise.race([once(answering.stdout!, 'data'), answered]);
      const frame = orderFrame(client);
      const calling = this.#start(client, [client.ends.sourcePort, seconds, warmUpSeconds, rate, frame]);
      try {
        const [latencies] = await Promise.all([buffer(calling.stdout!), ended(calling)]);
        await answered;
        return Histogram.open(new Uint8Array(latencies).buffer);
      } finally {
        calling.kill();
      }
    } finally {
      answering.kill();
    }
  }

  /** Removes it. Idempotent. */
  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #program(): string {
    return join(this.#folder, 'tail');
  }

  /** A process begins in the namespace of the thread that starts it. */
  #start(end: TailEnd, args: readonly (number | string)[]): ChildProcess {
    using namespace = NetworkNamespace.open(end.netns);
    const words = [end.role, end.interface, end.core, ...args].map(String);
    return withNetns(namespace, () => spawn(this.#program, words, { stdio: ['ignore', 'pipe', 'pipe'] }));
  }
}

/** Resolves when a process has ended well. */
async function ended(child: ChildProcess): Promise<void> {
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code, signal] = await once(child, 'close');
  if (code !== 0) throw new Error(`The C peer ended with ${code ?? signal}: ${said.trim()}`);
}

/** The frame of an order, as the client of ours sends it. [hex] */
function orderFrame({ ends }: TailEnd): string {
  const template = new UdpFrameTemplate(ends);
  const frame = new Uint8Array(template.headerLen + ORDER_LEN);
  const view = new DataView(frame.buffer);
  writeTrip(view, template.headerLen, 0);
  template.write(view, 0, ORDER_LEN);
  return Buffer.from(frame).toString('hex');
}
