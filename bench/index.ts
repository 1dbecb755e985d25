/**
 * bench: what `barewire bench` measures, and the harness that measures it.
 *
 * A {@link BenchCase} measures in rounds; each round measures every variant and every peer once, and medians over the
 * rounds are reported. The micro cases (`micro/`: a function, in threads of this process) take turns round by round,
 * so that a noisy minute falls on all of them; the system cases (`system/`: packets through the kernel, in network
 * namespaces) follow one at a time. Between the rounds a fixed loop is timed: what this core is worth at the time.
 * Targets for absolute speeds are scaled by it, targets for ratios are not.
 *
 * Measured code runs in an isolate of its own (`harness/isolate.ts`). A case's module is loaded only when the case is
 * wanted, so a case that needs what this machine has not keeps no other from running. A peer that is not installed is
 * named and left out. A target that is missed is said so and is no error, unless the user is strict.
 *
 * It does not compare machines: a figure holds for the machine, the kernel and the commit printed above it. See
 * docs/benchmarks.md.
 *
 * References: G. Tene, "How NOT to Measure Latency" (open loop, percentiles); RFC 2544 (throughput, loss).
 */
import type { BenchCase } from './harness/benchCase.ts';
import type { Figure } from './harness/figure.ts';
import { toJsonLine } from './harness/figure.ts';
import { describeMachine } from './harness/machine.ts';
import { progressLine } from './harness/progressLine.ts';
import { type RunOptions, type RunOutput, runCases } from './harness/runCases.ts';
import { renderTable } from './harness/table.ts';

/** Every case by name, in the order in which they run; loaded when wanted. */
const CASES: Readonly<Record<string, () => Promise<BenchCase>>> = {
  ingest: async () => (await import('./micro/ingest.ts')).ingest,
  rings: async () => (await import('./micro/rings.ts')).rings,
  seam: async () => (await import('./micro/seam.ts')).seam,
  alloc: async () => (await import('./micro/alloc.ts')).alloc,
  soak: async () => (await import('./system/soak.ts')).soak,
  rx: async () => (await import('./system/rx.ts')).rx,
  loops: async () => (await import('./system/loops.ts')).loops,
  rtt: async () => (await import('./system/rtt.ts')).rtt,
  tail: async () => (await import('./system/tail.ts')).tail,
  memif: async () => (await import('./system/memif.ts')).memif,
  gateway: async () => (await import('./system/gateway.ts')).gateway,
  ring: async () => (await import('./micro/ring.ts')).ring,
};

/** What the command line of `barewire bench` says. */
export interface BenchOptions extends RunOptions {
  /** One JSON object a line for each figure and peer, on standard output, instead of tables. */
  readonly json?: boolean;
  /** A missed target is an error. */
  readonly strict?: boolean;
}

const NO_NIC =
  'System cases run over veth: no NIC, no bus, no wire. Take the ratios, not the absolute figures';

/**
 * Runs the named cases, or with no name all that are not long, and prints their results.
 *
 * @returns exit code: 1 when a case ended with an error or a named one cannot run here, or a target was missed and
 *   `strict` is on; otherwise 0
 * @throws RangeError when there is no case of such a name
 */
export async function runBench(names: readonly string[], options: BenchOptions = {}): Promise<number> {
  for (const name of names) {
    if (!Object.hasOwn(CASES, name)) {
      throw new RangeError(
        `Cannot run bench ${name}: no such case; there are ${Object.keys(CASES).join(', ')}`,
      );
    }
  }
  const named = names.length > 0;
  const wanted = await Promise.all(
    (named ? [...new Set(names)] : Object.keys(CASES)).map((name) => CASES[name]!()),
  );
  const chosen = wanted.filter(({ long }) => named || long !== true);
  const printer = new Printer(options.json === true);
  printer.header(chosen);
  const runnable = chosen.filter(({ name, needs, vias }) => {
    const reason = cannotRunOver(vias, options.via) ?? needs?.(options.via);
    if (reason !== undefined) printer.note(`${name}: left out, ${reason}`);
    return reason === undefined;
  });
  const ok = await runCases(runnable, options, printer);
  const unable = named && runnable.length < chosen.length;
  return ok && !unable && !(options.strict === true && printer.missed) ? 0 : 1;
}

/** Why a case cannot run over what the user asks for; undefined when it can. */
function cannotRunOver(vias: readonly string[] = [], via?: string): string | undefined {
  if (via === undefined || vias.includes(via.split(/[:?]/, 1)[0]!)) return undefined;
  return vias.length === 0 ? 'it takes no --via' : `it runs over ${vias.join(', ')}, not over ${via}`;
}

/** Tables go to standard output; with `json` only lines of JSON do, and all else to standard error. */
class Printer implements RunOutput {
  /** Whether a target was missed. */
  missed = false;
  readonly #json: boolean;

  constructor(json: boolean) {
    this.#json = json;
  }

  header(cases: readonly BenchCase[]): void {
    this.#say(describeMachine());
    const width = Math.max(...cases.map(({ name }) => name.length));
    for (const { name, about } of cases) this.#say(`${name.padEnd(width)}  ${about}`);
    if (cases.some(({ kind }) => kind === 'system')) this.#say(NO_NIC);
  }

  figures(figures: readonly Figure[]): void {
    progressLine('');
    this.missed ||= figures.some(({ verdicts }) => verdicts.some(({ met }) => !met));
    if (this.#json) for (const figure of figures) console.log(toJsonLine(figure));
    else console.log(`\n${renderTable(figures)}\n${footer(figures)}`);
  }

  note(text: string): void {
    progressLine('');
    this.#say(text);
  }

  failed(name: string, error: unknown): void {
    progressLine('');
    console.error(`${name}: ${error instanceof Error ? error.stack : String(error)}`);
  }

  progress(text: string): void {
    progressLine(text);
  }

  #say(text: string): void {
    if (this.#json) console.error(text);
    else console.log(text);
  }
}

/** The rounds and the calibration of each case, once for cases that share them. */
function footer(figures: readonly Figure[]): string {
  const cases = new Map(figures.map((figure) => [figure.case, figure]));
  const parts = [...cases.values()].map(({ case: name, rounds, calibration }) => {
    return `${name} ${rounds} ${rounds === 1 ? 'round' : 'rounds'} at ${calibration.toFixed(2)}`;
  });
  return `medians; calibration loop over its reference time: ${parts.join(', ')}`;
}
