import { Command, InvalidArgumentError, Option } from 'commander';
import { benchXdpCommand } from './benchXdp.ts';

/** Builds `barewire bench`; the cases and their harness are loaded when it runs. */
export function benchCommand(): Command {
  return new Command('bench')
    .description('measure speed and allocation beside targets and peers')
    .argument('[case...]', 'cases to run; all but the long ones when none is named')
    .option('--json', 'print one JSON object a line for each figure and peer')
    .option('--strict', 'exit with code 1 when a target is missed')
    .addOption(new Option('--rounds <count>', 'rounds of each case').argParser(wholeNumber))
    .addOption(new Option('--seconds <seconds>', 'length of one measurement').argParser(positiveNumber))
    .addOption(
      new Option(
        '--via <spec>',
        'port to run rtt, rx or soak over, such as memif; targets are for the usual one',
      ),
    )
    .action(async (names: string[], options: BenchFlags, command: Command) => {
      const { runBench } = await import('../../bench/index.ts');
      try {
        process.exitCode = await runBench(names, options);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        command.error(error.message);
      }
    })
    .addCommand(benchXdpCommand());
}

/** The options as commander hands them over. */
interface BenchFlags {
  json?: boolean;
  strict?: boolean;
  rounds?: number;
  seconds?: number;
  via?: string;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!(Number.isInteger(value) && value >= 1)) throw new InvalidArgumentError('Give a whole number from 1');
  return value;
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('Give a number above 0');
  return value;
}
