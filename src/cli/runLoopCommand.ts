import { closeSync, existsSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import type { LoopOutput, LoopSample, LoopStart } from '../lane/index.ts';
import { LinkWatch } from './linkWatch.ts';
import { describeLoop, LoopPrinter } from './loopPrinter.ts';

/** How a command of a loop tells what it does. */
export interface LoopOutputFlags {
  json?: boolean;
  sweep?: boolean;
  /** file for the chart of a sweep */
  plot?: string;
}

/**
 * Has a loop run until it is over or the user interrupts it, prints what it tells, and draws its sweep.
 *
 * @param ports - port specs whose interfaces are watched: one that goes down is said so
 * @param run - runs the loop
 */
export async function runLoopCommand(
  flags: LoopOutputFlags,
  ports: readonly string[],
  run: (output: LoopOutput, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  if (flags.plot !== undefined) checkWritable(flags.plot);
  const abort = new AbortController();
  // More than once: from the terminal, from npm and from the launcher.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => abort.abort());
  const watches = ports.flatMap((port) => LinkWatch.of(port) ?? []);
  const printer = new LoopPrinter(flags.sweep ?? false);
  const events: (LoopStart | LoopSample)[] = [];
  await run((event) => {
    if (flags.json) console.log(JSON.stringify(event));
    else printer.print(event);
    if (flags.plot !== undefined) events.push(event);
    for (const watch of watches) {
      const change = watch.look();
      if (change !== undefined) console.error(change);
    }
  }, abort.signal);
  if (flags.plot !== undefined) await plot(flags.plot, events);
}

/** Refuses a file that cannot be written while nothing is measured yet. What is in it stays. */
function checkWritable(file: string): void {
  const isNew = !existsSync(file);
  try {
    closeSync(openSync(file, 'a'));
  } catch (error) {
    throw new Error(`Cannot write the plot: ${(error as Error).message}`, { cause: error });
  }
  if (isNew) unlinkSync(file);
}

async function plot(file: string, events: readonly (LoopStart | LoopSample)[]): Promise<void> {
  const start = events.find((event) => event.kind === 'start');
  const samples = events.filter((event) => event.kind === 'sample');
  if (start === undefined || samples.length === 0) return;
  const { renderSweepPlot } = await import('./sweepPlot.ts');
  const title = `${start.verb} on ${start.ports.map(({ spec }) => spec).join(' and ')}`;
  writeFileSync(file, renderSweepPlot({ title, notes: [describeLoop(start), ...start.reasons], samples }));
  console.error(`Wrote ${file}`);
}
