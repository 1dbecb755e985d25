import { Command, InvalidArgumentError, Option } from 'commander';
import type { FlowSpec } from '../bpf/index.ts';
import type { IdleName } from '../lane/index.ts';
import type { GatewayOut, GatewayReading, RunningGateway } from '../operate/index.ts';
import { parseFlow } from '../operate/parseFlow.ts';
import { parsePortSpec } from '../port/index.ts';
import { GatewayPrinter } from './gatewayPrinter.ts';
import { LinkWatch } from './linkWatch.ts';
import { timerSeconds, wholeNumber } from './numbers.ts';

/** A `--to` with the `--flow`s behind it. */
interface Destination {
  readonly to: string;
  readonly flows: FlowSpec[];
}

interface GatewayFlags {
  from: string;
  to: readonly Destination[];
  out: GatewayOut;
  burst: number;
  core?: number;
  idle: IdleName;
  seconds?: number;
  strict?: boolean;
  json?: boolean;
}

/** Builds `barewire gateway`: flows of an interface for processes without privileges. */
export function gatewayCommand(): Command {
  // One list for both options, in the order of the command line: a flow belongs to the destination before it.
  const destinations: Destination[] = [];
  return new Command('gateway')
    .description('forward flows that arrive on one port to other ports, until interrupted')
    .requiredOption('--from <spec>', 'where the flows arrive: xdp:IFACE')
    .addOption(
      new Option(
        '--to <spec>',
        'who gets the flows that follow, such as memif:PATH?mode=0660&secretFile=PATH; repeat',
      )
        .argParser((to: string) => addDestination(destinations, to))
        .makeOptionMandatory(),
    )
    .addOption(
      new Option(
        '--flow <flow>',
        'udp:PORT, udp:ADDRESS:PORT or udp:[IPV6]:PORT, for the --to before it; repeat',
      )
        .argParser((flow: string) => addFlow(destinations, flow))
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--out <what>', 'which frames of a destination may leave: those from its flows, any or none')
        .choices(['flow', 'any', 'none'])
        .default('flow'),
    )
    .addOption(new Option('-b, --burst <frames>', 'most frames of a poll').argParser(wholeNumber).default(64))
    .addOption(new Option('--core <core>', 'core to pin the gateway to').argParser(wholeNumber))
    .addOption(
      new Option('--idle <strategy>', 'what to do when nothing arrives')
        .choices(['busySpin', 'yield', 'backoff', 'block'])
        .default('block'),
    )
    .addOption(new Option('--seconds <seconds>', 'stop after so long').argParser(timerSeconds))
    .option('--strict', 'fail instead of running weaker than asked')
    .option('--json', 'print one JSON object a line instead of columns')
    .action(gateway);
}

async function gateway(flags: GatewayFlags, command: Command): Promise<void> {
  const { startGateway } = await import('../operate/index.ts');
  const stop = Promise.withResolvers<void>();
  // More than once: from the terminal, from npm and from the launcher.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.resolve());
  const names = flags.to.map(({ to }) => nameOf(to));
  const printer = new GatewayPrinter(names);
  const watch = LinkWatch.of(flags.from);
  const told = new Set<number>();
  await using running = await startGateway({
    from: flags.from,
    destinations: flags.to,
    out: flags.out,
    burst: flags.burst,
    idle: flags.idle,
    strict: flags.strict ?? false,
    ...(flags.core === undefined ? {} : { core: flags.core }),
    onReading: (reading) => {
      for (const [i, { lost }] of reading.destinations.entries()) {
        if (lost !== null && !told.has(i))
          console.error(`${names[i]!} is lost, and the gateway goes on without: ${lost}`);
        if (lost !== null) told.add(i);
      }
      const change = watch?.look();
      if (change !== undefined) console.error(change);
      for (const line of flags.json ? [toJson(names, reading)] : printer.lines(reading)) console.log(line);
    },
  }).catch((error: unknown) => {
    if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
    return command.error(`error: ${error.message}`);
  });
  tell(running.report, flags.from, names);
  const timer = flags.seconds === undefined ? undefined : setTimeout(stop.resolve, flags.seconds * 1000);
  try {
    await Promise.race([stop.promise, running.failed]);
  } finally {
    clearTimeout(timer);
  }
  const last = await running.stop();
  console.log(flags.json ? toJson(names, last) : printer.totals(last));
}

/** Says on standard error how each port runs, and what is weaker than it might be. */
function tell(
  { from, destinations, reasons }: RunningGateway['report'],
  fromSpec: string,
  names: readonly string[],
): void {
  console.error(`Forwarding from ${nameOf(fromSpec)}: ${from.mode}`);
  for (const [i, { mode }] of destinations.entries()) console.error(`to ${names[i]!}: ${mode}`);
  for (const { reasons: own } of [from, ...destinations]) for (const reason of own) console.error(reason);
  for (const reason of reasons) console.error(reason);
}

function toJson(names: readonly string[], { destinations, ...reading }: GatewayReading): string {
  const named = destinations.map((each, i) => ({ ...each, to: names[i]! }));
  return JSON.stringify({ ...reading, destinations: named });
}

/** A port without its options. */
function nameOf(spec: string): string {
  const { scheme, target } = parsePortSpec(spec);
  return `${scheme}:${target}`;
}

function addDestination(destinations: Destination[], to: string): Destination[] {
  destinations.push({ to: readOrRefuse(() => parsePortSpec(to).text), flows: [] });
  return destinations;
}

function addFlow(destinations: readonly Destination[], flow: string): FlowSpec[] {
  const last = destinations.at(-1);
  if (last === undefined) throw new InvalidArgumentError('Give the --to that it belongs to before it.');
  last.flows.push(readOrRefuse(() => parseFlow(flow)));
  return last.flows;
}

function readOrRefuse<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
    throw new InvalidArgumentError(`${error.message}.`);
  }
}
