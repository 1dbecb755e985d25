import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type NetworkNamespace, withNetns } from '../../src/sys/index.ts';

/** What DPDK calls the loops: `macswap` is l2fwd that exchanges the MAC addresses. */
export type ForwardMode = 'rxonly' | 'txonly' | 'macswap' | 'io' | 'flowgen';

/** What to run, and where. */
export interface TestpmdSpec {
  /** where it runs; here when absent */
  readonly namespace?: NetworkNamespace;
  /** its only port, as DPDK names it: `net_memif0,role=server,socket=/run/m` */
  readonly device: string;
  readonly mode: ForwardMode;
  /** core that forwards */
  readonly core: number;
  /** core of the thread that reads commands, and sleeps in between */
  readonly commandCore: number;
  readonly burst: number;
  readonly ringSize: number;
  /** of the frames that txonly sends, FCS not counted [bytes] */
  readonly frameLen: number;
  /** in each direction; default 1 */
  readonly queues?: number;
  /** further arguments of testpmd's own: `--max-pkt-len=9000` */
  readonly more?: readonly string[];
}

/** What testpmd counted so far. [frames] */
export interface TestpmdReading {
  readonly rxFrames: number;
  readonly txFrames: number;
}

const PROGRAM = 'dpdk-testpmd';
const PROMPT = 'testpmd> ';
/** What an answer may take; starting takes a second. [ms] */
const TIMEOUT_MS = 15_000;
const QUIT_MS = 5_000;

/** Why testpmd cannot run here; undefined when it can. */
export function needsTestpmd(): string | undefined {
  const missing = [PROGRAM, 'stdbuf'].find((name) => findProgram(name) === undefined);
  return missing === undefined ? undefined : `${missing} is not installed (Debian: dpdk-dev)`;
}

/**
 * DPDK's testpmd with one port, over AF_XDP or memif: the C peer of the plain loops.
 *
 * It is driven by its own commands. Without huge pages and without any PCI device; when this process dies, it reads the
 * end of its input and goes.
 */
export class Testpmd implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  #text = '';
  #ended = false;

  private constructor(spec: TestpmdSpec) {
    const start = (): ChildProcessByStdio<Writable, Readable, Readable> =>
      spawn('stdbuf', ['-oL', PROGRAM, ...argumentsFor(spec)], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = spec.namespace === undefined ? start() : withNetns(spec.namespace, start);
    const hear = (text: string): void => {
      this.#text += text;
    };
    this.#child.stdout.setEncoding('utf8').on('data', hear);
    this.#child.stderr.setEncoding('utf8').on('data', hear);
    this.#child.stdin.on('error', () => {});
    this.#child.once('close', () => {
      this.#ended = true;
    });
  }

  /** Starts it; it forwards when this resolves. @throws Error with what testpmd said */
  static async start(spec: TestpmdSpec): Promise<Testpmd> {
    const testpmd = new Testpmd(spec);
    try {
      await testpmd.#until(PROMPT);
      await testpmd.#command('start');
      return testpmd;
    } catch (error) {
      await testpmd[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Ends it without a word, as a crash would. */
  async kill(): Promise<void> {
    if (this.#ended) return;
    const closed = once(this.#child, 'close');
    // NB: stdbuf has become testpmd by now: the same process.
    this.#child.kill('SIGKILL');
    await closed;
  }

  /** Whether it has ended, by itself or not. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Reads the counters of its port. */
  async read(): Promise<TestpmdReading> {
    const text = await this.#command('show port stats 0');
    const count = (name: string): number => {
      const match = new RegExp(`${name}-packets: *(\\d+)`).exec(text);
      if (match === null)
        throw new Error(`Cannot read the counters of testpmd: no ${name}-packets in ${text}`);
      return Number(match[1]);
    };
    return { rxFrames: count('RX'), txFrames: count('TX') };
  }

  /** Has it quit, which takes its XDP program off the interface; after a while by force. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    const closed = once(this.#child, 'close');
    this.#child.stdin.end('quit\n');
    const force = setTimeout(() => this.#child.kill('SIGKILL'), QUIT_MS);
    await closed;
    clearTimeout(force);
  }

  /** @returns what it answered */
  async #command(command: string): Promise<string> {
    this.#text = '';
    this.#child.stdin.write(`${command}\n`);
    return await this.#until(PROMPT);
  }

  /** Waits for its next prompt. */
  async #until(what: string): Promise<string> {
    for (let waitedMs = 0; !this.#text.endsWith(what); waitedMs += 5) {
      if (this.#ended || waitedMs > TIMEOUT_MS)
        throw new Error(`Cannot use testpmd; it said: ${this.#text.trim()}`);
      await sleep(5);
    }
    return this.#text;
  }
}

function argumentsFor(spec: TestpmdSpec): string[] {
  const environment = [
    ...['--file-prefix', `barewire${process.pid}-${spec.core}`],
    '--no-huge',
    '-m',
    '128',
    '--no-pci',
    '--no-shconf',
    '--no-telemetry',
    '--log-level=error',
  ];
  return [
    ...environment,
    `--lcores=0@${spec.commandCore},1@${spec.core}`,
    `--vdev=${spec.device}`,
    '--',
    ...['--interactive', '--no-mlockall', '--no-flush-rx', `--forward-mode=${spec.mode}`],
    ...[
      `--burst=${spec.burst}`,
      `--rxd=${spec.ringSize}`,
      `--txd=${spec.ringSize}`,
      '--total-num-mbufs=16384',
    ],
    `--txpkts=${spec.frameLen}`,
    ...(spec.queues === undefined ? [] : [`--rxq=${spec.queues}`, `--txq=${spec.queues}`]),
    ...(spec.more ?? []),
  ];
}

function findProgram(name: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
