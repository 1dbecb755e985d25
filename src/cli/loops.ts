import { Command, Option } from 'commander';
import type { IdleName, LoopSpec, LoopVerb } from '../lane/index.ts';
import { portNumber, positiveNumber, wholeNumber } from './numbers.ts';
import { type LoopOutputFlags, runLoopCommand } from './runLoopCommand.ts';

/** The options that `barewire rxdrop|txonly|l2fwd|echo` and `barewire bench xdp` have in common. */
export interface LoopFlags extends LoopOutputFlags {
  burst: number;
  size: number;
  core?: number;
  port: number;
  mac?: string;
  idle?: IdleName;
  seconds?: number;
  strict?: boolean;
}

const ABOUT: Readonly<Record<LoopVerb, string>> = {
  rxdrop: 'receive frames on a port and forget them',
  txonly: 'send the same frame on a port over and over',
  l2fwd:
    'send the frames of a port back, or those of two ports each to the other, with MAC addresses exchanged',
  echo: 'answer the UDP datagrams that arrive on a port',
};

/** Builds the commands of the plain loops. */
export function loopCommands(): Command[] {
  return (Object.keys(ABOUT) as LoopVerb[]).map(loopCommand);
}

function loopCommand(verb: LoopVerb): Command {
  const command = new Command(verb)
    .description(`${ABOUT[verb]}, and print the rates every second`)
    .argument('<port>', 'such as xdp:eth0, packet:eth0, memif:/run/m, tap:t0, pcap:in.pcapng');
  if (verb === 'l2fwd')
    command.argument('[port2]', 'the other port; without it frames go back where they came from');
  return addLoopOptions(command).action(async () => {
    const flags = command.opts<LoopFlags>();
    const spec = { ...loopSpecOf(verb, flags), ports: command.args };
    const { sweep = false, seconds } = flags;
    const options = { sweep, ...(seconds === undefined ? {} : { seconds }) };
    const { sampleLoop } = await import('../lane/index.ts');
    await runLoopCommand(flags, spec.ports, (output, signal) => sampleLoop(spec, options, output, signal));
  });
}

/** Adds the options of {@link LoopFlags} to a command. */
export function addLoopOptions(command: Command): Command {
  return command
    .addOption(new Option('-b, --burst <frames>', 'most frames of a poll').argParser(wholeNumber).default(64))
    .addOption(
      new Option('-s, --size <bytes>', 'of each frame that txonly sends, FCS not counted')
        .argParser(wholeNumber)
        .default(64),
    )
    .addOption(new Option('--core <core>', 'core to pin the loop to').argParser(wholeNumber))
    .addOption(
      new Option(
        '--idle <strategy>',
        'what to do when nothing arrives; default busySpin with --core, else backoff',
      ).choices(['busySpin', 'yield', 'backoff', 'block']),
    )
    .addOption(
      new Option('--port <port>', 'UDP port of the frames that are ours').argParser(portNumber).default(9),
    )
    .option('--mac <address>', 'where txonly sends to')
    .addOption(
      new Option('--seconds <seconds>', 'stop after so long; of a sweep, for each burst').argParser(
        positiveNumber,
      ),
    )
    .option('--sweep', 'one line for each burst of 1, 2, 4 … 256 frames')
    .addOption(
      new Option('--plot <file>', 'sweep, and draw the rates into an HTML file').implies({ sweep: true }),
    )
    .option('--strict', 'fail instead of running weaker than asked')
    .option('--json', 'print one JSON object a line');
}

/** What the options say of the loop itself. */
export function loopSpecOf(
  verb: LoopVerb,
  flags: LoopFlags,
): Omit<LoopSpec, 'ports'> & { readonly frameLen: number } {
  const { burst, size, port, core, mac, idle, strict } = flags;
  return {
    ...{ verb, burst, frameLen: size, udpPort: port, strict: strict ?? false },
    ...(core === undefined ? {} : { core }),
    ...(mac === undefined ? {} : { destinationMac: mac }),
    ...(idle === undefined ? {} : { idle }),
  };
}
