import { Command, Option } from 'commander';
import type { XdpBenchOptions } from '../../bench/system/xdpBench.ts';
import type { LoopVerb } from '../lane/index.ts';
import { addLoopOptions, type LoopFlags, loopSpecOf } from './loops.ts';
import { wholeNumber } from './numbers.ts';
import { runLoopCommand } from './runLoopCommand.ts';

/** The options as commander hands them over. */
interface XdpFlags extends LoopFlags {
  interface?: string;
  queue?: number;
  zeroCopy?: boolean;
  copy?: boolean;
  native?: boolean;
  generic?: boolean;
  busyPoll?: boolean;
  ring: number;
}

const VERBS: readonly LoopVerb[] = ['rxdrop', 'txonly', 'l2fwd', 'echo'];

/** Builds `barewire bench xdp`: the plain loops over AF_XDP, on an interface of the user's or a veth pair. */
export function benchXdpCommand(): Command {
  const command = new Command('xdp')
    .description('run a plain loop over AF_XDP and print its rates every second')
    .argument('[loop]', `${VERBS.join(', ')}`, parseVerb, 'rxdrop')
    .option('-i, --interface <name>', 'interface; a veth pair of its own with a flood when not given')
    .addOption(new Option('-q, --queue <number>', 'nicQueue; default all').argParser(wholeNumber))
    .addOption(new Option('-z, --zero-copy', 'zero-copy or an error').conflicts('copy'))
    .option('-c, --copy', 'copy mode')
    .addOption(new Option('-N, --native', 'program in the driver or an error').conflicts('generic'))
    .option('-S, --generic', 'program behind the driver')
    .option('-B, --busy-poll', 'poll the driver from the loop itself')
    .addOption(new Option('--ring <frames>', 'rx and tx ring').argParser(wholeNumber).default(2048));
  return addLoopOptions(command).action(run);
}

async function run(verb: LoopVerb, _: XdpFlags, command: Command): Promise<void> {
  // `bench` has --seconds, --strict and --json too, and takes them wherever they stand.
  const flags = command.optsWithGlobals<XdpFlags>();
  const { runXdpBench } = await import('../../bench/system/xdpBench.ts');
  const ports = flags.interface === undefined ? [] : [`xdp:${flags.interface}`];
  await runLoopCommand(flags, ports, (output, signal) => runXdpBench(optionsOf(verb, flags), output, signal));
}

function optionsOf(verb: LoopVerb, flags: XdpFlags): XdpBenchOptions {
  const { interface: name, queue, seconds } = flags;
  return {
    ...loopSpecOf(verb, flags),
    mode: flags.zeroCopy ? 'zerocopy' : flags.copy ? 'copy' : 'auto',
    attach: flags.native ? 'native' : flags.generic ? 'generic' : 'auto',
    busyPoll: flags.busyPoll ?? false,
    ringSize: flags.ring,
    sweep: flags.sweep ?? false,
    ...(name === undefined ? {} : { interface: name }),
    ...(queue === undefined ? {} : { queue }),
    ...(seconds === undefined ? {} : { seconds }),
  };
}

function parseVerb(text: string): LoopVerb {
  const verb = VERBS.find((name) => name === text);
  if (verb === undefined) throw new TypeError(`Cannot run loop ${text}: there are ${VERBS.join(', ')}`);
  return verb;
}
