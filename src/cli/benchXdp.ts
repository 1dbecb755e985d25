import { Command, Option } from 'commander';
import type { LoopVerb } from '../../bench/system/loopLane.ts';
import type { XdpBenchOptions, XdpBenchSample, XdpBenchStart } from '../../bench/system/xdpBench.ts';
import { reasons, whole } from './columns.ts';
import { portNumber, positiveNumber, wholeNumber } from './numbers.ts';

/** The options as commander hands them over. */
interface XdpFlags {
  interface?: string;
  queue?: number;
  zeroCopy?: boolean;
  copy?: boolean;
  native?: boolean;
  generic?: boolean;
  busyPoll?: boolean;
  burst: number;
  size: number;
  ring: number;
  core?: number;
  port: number;
  mac?: string;
  seconds?: number;
  sweep?: boolean;
  json?: boolean;
}

const VERBS: readonly LoopVerb[] = ['rxdrop', 'txonly', 'l2fwd', 'echo'];
const HEADER: readonly string[] = ['', 'rx pps', 'tx pps', 'rx Mbit/s', 'tx Mbit/s', 'wake-ups', 'drops'];
const WIDTHS: readonly number[] = [9, 11, 11, 9, 9, 9, 9];

/** Builds `barewire bench xdp`: the loops that xdpsock made known, on an interface of the user's or a veth pair. */
export function benchXdpCommand(): Command {
  return new Command('xdp')
    .description('run a plain loop over AF_XDP and print its rates every second')
    .argument('[loop]', `${VERBS.join(', ')}`, parseVerb, 'rxdrop')
    .option('-i, --interface <name>', 'interface; a veth pair of its own with a flood when not given')
    .addOption(new Option('-q, --queue <number>', 'nicQueue; default all').argParser(wholeNumber))
    .addOption(new Option('-z, --zero-copy', 'zero-copy or an error').conflicts('copy'))
    .option('-c, --copy', 'copy mode')
    .addOption(new Option('-N, --native', 'program in the driver or an error').conflicts('generic'))
    .option('-S, --generic', 'program behind the driver')
    .option('-B, --busy-poll', 'poll the driver from the loop itself')
    .addOption(new Option('-b, --burst <frames>', 'most frames of a poll').argParser(wholeNumber).default(64))
    .addOption(
      new Option('-s, --size <bytes>', 'of each frame, FCS not counted').argParser(wholeNumber).default(64),
    )
    .addOption(new Option('--ring <frames>', 'rx and tx ring').argParser(wholeNumber).default(2048))
    .addOption(new Option('--core <core>', 'core to pin the loop to').argParser(wholeNumber))
    .addOption(
      new Option('--port <port>', 'UDP port of the frames that are ours').argParser(portNumber).default(9),
    )
    .option('--mac <address>', 'where txonly sends to, on an interface of yours')
    .addOption(
      new Option('--seconds <seconds>', 'stop after so long; of a sweep, for each burst').argParser(
        positiveNumber,
      ),
    )
    .option('--sweep', 'one line for each burst of 1, 2, 4 … 256 frames')
    .option('--json', 'print one JSON object a line')
    .action(run);
}

async function run(verb: LoopVerb, _: XdpFlags, command: Command): Promise<void> {
  // `bench` has --seconds and --json too, and takes them wherever they stand.
  const flags = command.optsWithGlobals<XdpFlags>();
  const { runXdpBench } = await import('../../bench/system/xdpBench.ts');
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => abort.abort());
  const print = flags.json ? printJson : printColumns;
  try {
    await runXdpBench(optionsOf(verb, flags), print, abort.signal);
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
    command.error(error.message);
  }
}

function optionsOf(verb: LoopVerb, flags: XdpFlags): XdpBenchOptions {
  const { interface: name, queue, core, mac, seconds } = flags;
  return {
    verb,
    mode: flags.zeroCopy ? 'zerocopy' : flags.copy ? 'copy' : 'auto',
    attach: flags.native ? 'native' : flags.generic ? 'generic' : 'auto',
    busyPoll: flags.busyPoll ?? false,
    bursts: flags.sweep ? [1, 2, 4, 8, 16, 32, 64, 128, 256] : [flags.burst],
    frameLen: flags.size,
    ringSize: flags.ring,
    udpPort: flags.port,
    sweep: flags.sweep ?? false,
    ...(name === undefined ? {} : { interface: name }),
    ...(queue === undefined ? {} : { queue }),
    ...(core === undefined ? {} : { core }),
    ...(mac === undefined ? {} : { mac }),
    ...(seconds === undefined ? {} : { seconds }),
  };
}

function parseVerb(text: string): LoopVerb {
  const verb = VERBS.find((name) => name === text);
  if (verb === undefined) throw new TypeError(`Cannot run loop ${text}: there are ${VERBS.join(', ')}`);
  return verb;
}

function printJson(event: XdpBenchStart | XdpBenchSample): void {
  console.log(JSON.stringify(event));
}

function printColumns(event: XdpBenchStart | XdpBenchSample): void {
  if (event.kind === 'start') {
    if (!event.first) return;
    console.error(`${event.verb} on ${event.interface}: ${event.mode}`);
    for (const reason of event.reasons) console.error(reason);
    console.log(row([event.sweep ? 'burst' : 'second', ...HEADER.slice(1)]));
    return;
  }
  const { label, rxPps, txPps, rxMbps, txMbps, wakeupsPerSecond, dropsPerSecond, drops } = event;
  const numbers = [rxPps, txPps, rxMbps, txMbps, wakeupsPerSecond, dropsPerSecond].map(whole);
  const why = reasons(drops);
  console.log(`${row([label, ...numbers])}${why === '-' ? '' : `  ${why}`}`);
}

function row(cells: readonly string[]): string {
  return cells.map((cell, i) => cell.padStart(WIDTHS[i]!)).join('  ');
}
