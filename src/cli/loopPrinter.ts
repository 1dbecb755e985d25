import type { LoopSample, LoopStart } from '../lane/index.ts';
import { reasons, whole } from './columns.ts';

const HEADER: readonly string[] = ['rx pps', 'tx pps', 'rx Mbit/s', 'tx Mbit/s', 'wake-ups', 'drops'];
const WIDTHS: readonly number[] = [9, 11, 11, 9, 9, 9, 9];

/** Says in a line what a loop runs over, and how. */
export function describeLoop({ verb, ports, copies }: LoopStart): string {
  const how = ports.map(({ spec, mode }) => `${spec} (${mode})`).join(' and ');
  const way = copies ? 'frames are copied from one to the other' : 'no frame is copied from one to the other';
  const frames = copies === undefined ? '' : `; ${way}`;
  return `${verb} on ${how}${frames}`;
}

/** Says what l2fwd cannot keep; undefined when all is well. */
export function untaggedNote({ untagged }: LoopSample): string | undefined {
  if (untagged === 0) return undefined;
  return (
    `${whole(untagged)} frames went on without the VLAN tag that the NIC had taken off: ` +
    '`ethtool -K IFACE rxvlan off` leaves tags in the frames'
  );
}

/** Prints what there is to tell of a loop: columns on standard output, notes beside them on standard error. */
export class LoopPrinter {
  readonly #sweep: boolean;
  #started = false;
  #notes: readonly string[] = [];

  /** @param sweep - a line is a burst, not a second */
  constructor(sweep: boolean) {
    this.#sweep = sweep;
  }

  /** Prints one event. */
  print(event: LoopStart | LoopSample): void {
    if (event.kind === 'start') this.#start(event);
    else this.#sample(event);
  }

  /** Of a sweep the first loop says how it runs, the others only what is new. */
  #start(event: LoopStart): void {
    if (!this.#started) console.error(describeLoop(event));
    for (const reason of event.reasons) {
      if (!this.#notes.includes(reason)) console.error(reason);
    }
    this.#notes = event.reasons;
    if (!this.#started) console.log(row([this.#sweep ? 'burst' : 'second', ...HEADER]));
    this.#started = true;
  }

  #sample(event: LoopSample): void {
    const { label, rxPps, txPps, rxMbps, txMbps, wakeupsPerSecond, dropsPerSecond, drops } = event;
    const wakeups = wakeupsPerSecond === undefined ? '-' : whole(wakeupsPerSecond);
    const cells = [...[rxPps, txPps, rxMbps, txMbps].map(whole), wakeups, whole(dropsPerSecond)];
    const why = reasons(drops);
    console.log(`${row([label, ...cells])}${why === '-' ? '' : `  ${why}`}`);
    const note = label === 'all' || this.#sweep ? untaggedNote(event) : undefined;
    if (note !== undefined) console.error(note);
  }
}

function row(cells: readonly string[]): string {
  return cells.map((cell, i) => cell.padStart(WIDTHS[i]!)).join('  ');
}
