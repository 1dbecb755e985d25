import { SpscQueue } from '../../src/core/index.ts';
import { siblingUrl } from '../../src/lane/siblingUrl.ts';
import { allowedCores } from '../../src/sys/index.ts';
import { Isolate } from '../harness/isolate.ts';
import { median } from '../harness/median.ts';
import type { RingEnd, RingTask } from '../micro/ringEnds.ts';

/** A round trip between the cores shorter than this is the machine's fast mode. [ns] */
export const FAST_NS = 400;

/** What was measured while the distance of the cores stayed the same. */
export interface Steady<T> {
  readonly value: T;
  /** round trip of a record between the cores, before and after [ns] */
  readonly coreNs: number;
}

const QUEUE = { recordLen: 32, capacity: 64 } as const;
const SECONDS = 0.02;
/** More than this between before and after, and the machine has changed its mode. */
const CHANGED = 1.5;
const ATTEMPTS = 4;

/**
 * Times how far the first and the last core are from each other, by a record there and back.
 *
 * Two virtual cores are now on one physical core, now on two that share less: figures of two programs jump by a factor
 * of three with that, and only those of one mode can be compared.
 */
export class CoreProbe implements AsyncDisposable {
  readonly #first: Isolate<RingTask, number>;
  readonly #second: Isolate<RingTask, number>;

  constructor() {
    const size = SpscQueue.sizeOf(QUEUE);
    const memory = { buffer: new SharedArrayBuffer(2 * size), there: 0, back: size };
    SpscQueue.create(memory.buffer, memory.there, QUEUE);
    SpscQueue.create(memory.buffer, memory.back, QUEUE);
    const module = siblingUrl(import.meta.url, '../micro/ringEnds');
    const cores = allowedCores();
    const end = (core: number): RingEnd => ({ ...memory, core });
    this.#first = new Isolate(module, end(cores[0]!));
    this.#second = new Isolate(module, end(cores.at(-1)!));
  }

  /** Measures once; nothing else may spin on the two cores. [ns] */
  async ns(): Promise<number> {
    const [ns] = await Promise.all([
      this.#first.ask({ role: 'call', seconds: SECONDS }),
      this.#second.ask({ role: 'answer', seconds: SECONDS }),
    ]);
    return ns;
  }

  /**
   * Runs a measurement between two probes, and once more when the machine changed its mode meanwhile.
   *
   * @returns undefined when it changed every time
   */
  async steady<T>(run: () => Promise<T>): Promise<Steady<T> | undefined> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const before = await this.ns();
      const value = await run();
      const after = await this.ns();
      if (Math.max(before, after) <= Math.min(before, after) * CHANGED) {
        return { value, coreNs: median([before, after]) };
      }
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#first[Symbol.asyncDispose]();
    await this.#second[Symbol.asyncDispose]();
  }
}
