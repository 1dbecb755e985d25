import type { DirectionReading, GatewayReading } from '../operate/index.ts';
import { columns, reasons, whole } from './columns.ts';

type Counts = Readonly<Record<string, number>>;

/** One line a second for each destination of a gateway, in columns that keep their width. */
export class GatewayPrinter {
  readonly #names: readonly string[];
  readonly #width: number;
  #last: GatewayReading | undefined;
  #second = 0;

  /** @param names - of the destinations, in order */
  constructor(names: readonly string[]) {
    this.#names = names;
    this.#width = Math.max('destination'.length, ...names.map((name) => name.length));
  }

  /**
   * Writes what happened since the reading before; of the first one there is nothing to tell but what the columns are.
   */
  lines(reading: GatewayReading): string[] {
    const last = this.#last;
    this.#last = reading;
    if (last === undefined)
      return [this.#row('second', 'destination', 'connected', 'in pps', 'out pps', 'drops')];
    this.#second++;
    const seconds = (reading.atNs - last.atNs) / 1e9;
    const rows = reading.destinations.map((now, i) => {
      const before = last.destinations[i]!;
      const pps = (way: 'in' | 'out'): string => whole((now[way].sent - before[way].sent) / seconds);
      const drops = {
        ...dropsIn('in', now, before),
        ...dropsIn('out', now, before),
        ...since(now.portDrops, before.portDrops),
      };
      const connected = now.lost !== null ? 'lost' : now.connected ? 'yes' : 'no';
      return this.#row(`${this.#second}`, this.#names[i]!, connected, pps('in'), pps('out'), reasons(drops));
    });
    const nobody = reasons({
      ...since(reading.dropped, last.dropped),
      ...since(reading.portDrops, last.portDrops),
    });
    if (nobody !== '-') rows.push(this.#row(`${this.#second}`, 'nobody', '', '', '', nobody));
    return rows;
  }

  /** Writes what was forwarded and dropped in all, as a table. */
  totals({ destinations, dropped, portDrops }: GatewayReading): string {
    const rows = destinations.map((each, i) => [
      this.#names[i]!,
      whole(each.in.sent),
      whole(each.out.sent),
      reasons({ ...named('in', each.in.dropped), ...named('out', each.out.dropped), ...each.portDrops }),
    ]);
    const nobody = reasons({ ...dropped, ...portDrops });
    return columns(
      [
        ['destination', 'in', 'out', 'drops'],
        ...rows,
        ...(nobody === '-' ? [] : [['nobody', '', '', nobody]]),
      ],
      ['left', 'right', 'right', 'left'],
    );
  }

  #row(second: string, name: string, connected: string, into: string, out: string, drops: string): string {
    const cells = [
      second.padStart(6),
      name.padEnd(this.#width),
      connected.padEnd(9),
      into.padStart(11),
      out.padStart(11),
      drops,
    ];
    return cells.join('  ').trimEnd();
  }
}

type Directions = { readonly [way in 'in' | 'out']: DirectionReading };

function dropsIn(way: 'in' | 'out', now: Directions, before: Directions): Counts {
  return named(way, since(now[way].dropped, before[way].dropped));
}

/** `full` of one direction is another reason than that of the other. */
function named(way: string, counts: Counts): Counts {
  return Object.fromEntries(Object.entries(counts).map(([reason, count]) => [`${way}.${reason}`, count]));
}

function since(now: Counts, before: Counts): Counts {
  return Object.fromEntries(
    Object.entries(now).map(([reason, count]) => [reason, count - (before[reason] ?? 0)]),
  );
}
