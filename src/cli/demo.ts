import { Command, Option } from 'commander';
import type { DemoResult } from '../order/demo/demo.ts';
import type { DemoPath } from '../order/demo/demoPath.ts';
import type { DemoProgress } from '../order/demo/ticker.ts';
import { columns, duration, reasons, whole } from './columns.ts';
import { positiveNumber, wholeNumber } from './numbers.ts';
import { StatusLine } from './statusLine.ts';

/** What runs this demo as root: a checkout has a script for it, the published package (JavaScript) its command. */
const AS_ROOT = import.meta.url.endsWith('.ts') ? 'sudo npm start' : 'sudo npx barewire demo';

interface DemoFlags {
  via?: string;
  rate: number;
  seconds: number;
  seed: number;
  json?: boolean;
  strict?: boolean;
}

/** Builds `barewire demo`, the main job. */
export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'send orders as UDP datagrams into an order book, over AF_XDP or another port and over node:dgram',
    )
    .option(
      '--via <spec>',
      'a wire of its own for xdp, packet, tap, memif or udp, such as xdp:?mode=copy, or pcap:FILE to replay ' +
        '(default: xdp, where it cannot be had udp)',
    )
    .addOption(new Option('--rate <orders>', 'orders per second').argParser(positiveNumber).default(50_000))
    .addOption(new Option('--seconds <seconds>', 'length of each path').argParser(positiveNumber).default(5))
    .addOption(new Option('--seed <seed>', 'of the order flow').argParser(wholeNumber).default(1))
    .option('--json', 'print one JSON object as the last line instead of the table')
    .option('--strict', 'fail instead of falling back to kernel sockets')
    .action(demo);
}

async function demo(flags: DemoFlags): Promise<void> {
  const { runDemo } = await import('../order/demo/demo.ts');
  const abort = new AbortController();
  const stop = (): void => abort.abort(new Error('Stopped: the demo was interrupted'));
  // More than once: from the terminal, from npm and from the launcher.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop);
  const status = new StatusLine();
  try {
    const result = await runDemo({
      via: flags.via,
      rate: flags.rate,
      seconds: flags.seconds,
      seed: flags.seed,
      strict: flags.strict ?? false,
      signal: abort.signal,
      onProgress: (progress) => status.show(describe(progress)),
    });
    status.clear();
    console.log(flags.json ? JSON.stringify(toJson(result)) : report(result, flags));
  } catch (error) {
    status.clear();
    if (!abort.signal.aborted) throw error;
    process.exitCode = 130;
  }
}

function describe(progress: DemoProgress): string {
  const { via, done, received, perSecond, book, bidLevels, askLevels, dropped, latencyNs } = progress;
  const bar = done === undefined ? '' : `[${'#'.repeat(Math.round(done * 20)).padEnd(20, '.')}] `;
  return (
    `${via.padEnd(6)} ${bar}${whole(received)} received, ${whole(perSecond)}/s, ` +
    `book ${whole(book)} on ${bidLevels}+${askLevels} levels, drops ${whole(dropped)}, ` +
    `p50 ${duration(latencyNs.p50)} p99 ${duration(latencyNs.p99)}`
  );
}

/** The object of `--json`; counts are of our path. What a replay has not is null. */
function toJson({ ours, dgram, reason }: DemoResult): object {
  const { via, accelerated, mode, sent = null, received, lost = null, rejected, trades, book } = ours;
  return {
    ...{ via, accelerated, reason: reason ?? null, mode, sent, received, lost, rejected, trades, book },
    latencyNs: { ours: ours.latencyNs, dgram: dgram?.latencyNs ?? null },
    dgram: dgram === undefined ? null : { sent: dgram.sent, received: dgram.received, lost: dgram.lost },
  };
}

/** What people call a path, by its scheme. */
const TITLES: Readonly<Record<string, string>> = {
  xdp: 'AF_XDP',
  packet: 'AF_PACKET',
  udp: 'kernel UDP',
};

function report(result: DemoResult, flags: DemoFlags): string {
  const { ours, dgram } = result;
  const paths = dgram === undefined ? [ours] : [ours, dgram];
  const row = (name: string, cell: (path: DemoPath) => string): string[] => [name, ...paths.map(cell)];
  const books = [
    ['', TITLES[ours.via] ?? ours.via, ...(dgram === undefined ? [] : ['node:dgram'])],
    ...(dgram === undefined ? [] : [row('sent', (path) => count(path.sent))]),
    row('received', (path) => whole(path.received)),
    row('in the book', (path) => whole(path.book)),
    row('rejected', (path) => reasons(path.rejected)),
    ...(dgram === undefined ? [] : [row('lost', (path) => count(path.lost))]),
    row('trades', (path) => whole(path.trades)),
  ];
  const times = [
    row('wire to book p50', (path) => duration(path.latencyNs.p50)),
    row('             p99', (path) => duration(path.latencyNs.p99)),
    row('             p99.9', (path) => duration(path.latencyNs.p999)),
    row('             max', (path) => duration(path.latencyNs.max)),
    row('sender late by at most', (path) => duration(path.senderLateNs)),
  ];
  const table = columns(dgram === undefined ? books : [...books, ...times], ['left', 'right', 'right']);
  return [table, '', ...notes(result, flags).filter((note) => note !== '')].join('\n');
}

const count = (value: number | undefined): string => (value === undefined ? '-' : whole(value));

function notes(
  { ours, dgram, reason, dgramOverLoopback }: DemoResult,
  { rate, seconds }: DemoFlags,
): string[] {
  if (dgram === undefined) {
    return [`Replayed: ${ours.mode}; no latency`, ...ours.reasons, ...lossNotes(ours)];
  }
  const ratio = dgram.latencyNs.p50 / ours.latencyNs.p50;
  return [
    `${whole(rate)} orders/s for ${seconds} s on each path; ours: ${ours.mode}`,
    ...ours.reasons,
    dgramOverLoopback ? "node:dgram over loopback: this wire has no kernel at the receiver's end" : '',
    ...lossNotes(ours),
    ...lossNotes(dgram),
    ratio > 1 ? `node:dgram takes ${ratio.toFixed(1)} times as long at the median` : '',
    ...(reason === undefined ? [] : [`Not accelerated. ${reason}`, `With AF_XDP: ${AS_ROOT}`]),
  ];
}

function lossNotes({ via, drops }: DemoPath): string[] {
  const text = reasons(drops);
  return text === '-' ? [] : [`Lost or refused before the decoder, ${via}: ${text}`];
}
