import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../bin/barewire.js', import.meta.url));

/** What a run of the command printed, and how it ended. */
export interface Run {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: string | null; out: string; err: string }>;
}

/** Starts `barewire` with arguments, or a command of which it is an argument. */
export function run(
  args: readonly string[],
  command: string = process.execPath,
  before: readonly string[] = [],
): Run {
  const child = spawn(command, [...before, BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, out, err }));
  return { child, ended };
}

type Latency = Record<'p50' | 'p99' | 'p999' | 'max', number | null>;

/** The object that `barewire demo --json` prints as the last line. */
export interface DemoReport {
  readonly via: string;
  readonly accelerated: boolean;
  readonly reason: string | null;
  readonly mode: string;
  readonly sent: number | null;
  readonly received: number;
  readonly lost: number | null;
  readonly rejected: Readonly<Record<string, number>>;
  readonly trades: number;
  readonly book: number;
  readonly latencyNs: { readonly ours: Latency; readonly dgram: Latency | null };
  readonly dgram: { readonly sent: number; readonly received: number; readonly lost: number } | null;
}

/** Reads the last line that the command printed. */
export function lastLine(out: string): DemoReport {
  return JSON.parse(out.trimEnd().split('\n').at(-1)!) as DemoReport;
}

/** Runs `barewire demo --json` with arguments, which has to end well. */
export async function runDemo(...args: readonly string[]): Promise<DemoReport> {
  const { code, out, err } = await run(['demo', '--json', ...args]).ended;
  assert.equal(code, 0, err);
  return lastLine(out);
}
