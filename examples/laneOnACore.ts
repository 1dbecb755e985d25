// Runs a program of one's own on a lane: a thread pinned to a core, polling. This module is both the owner, which starts
// the lane, and the program, which is made inside it. Needs no privileges.
//
//   node bin/launch.js examples/laneOnACore.ts
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pollable } from 'barewire/core';
import { Lane, type LaneContext, type LaneProgram } from 'barewire/lane';
import { allowedCores } from 'barewire/sys';

/** What the owner tells the program; a structured clone, but for shared memory. */
interface TickerData {
  readonly periodNs: number;
  readonly ticks: SharedArrayBuffer;
}

/** A pollable with work once every `periodNs`; real ones take frames, payloads or records. */
class Ticker implements Pollable {
  /** Nothing to sleep on: a blocking lane looks again every millisecond. */
  readonly fds: readonly number[] = [];
  /** the longest wait between a tick that was due and the poll that saw it */
  worstNs = 0;
  readonly #periodNs: number;
  readonly #nowNs: () => number;
  readonly #ticks: Int32Array;
  #nextNs: number;

  constructor({ periodNs, ticks }: TickerData, nowNs: () => number) {
    this.#periodNs = periodNs;
    this.#nowNs = nowNs;
    this.#ticks = new Int32Array(ticks);
    this.#nextNs = nowNs() + periodNs;
  }

  poll(budget: number): number {
    const now = this.#nowNs();
    let done = 0;
    while (done < budget && now >= this.#nextNs) {
      this.worstNs = Math.max(this.worstNs, now - this.#nextNs);
      this.#nextNs += this.#periodNs;
      done++;
    }
    if (done > 0) Atomics.add(this.#ticks, 0, done);
    return done;
  }

  arm(): boolean {
    return this.#nowNs() < this.#nextNs;
  }
}

/** Called inside the lane's thread, on its core already. */
export function createLane(context: LaneContext, data: TickerData): LaneProgram {
  const ticker = new Ticker(data, context.nowNs);
  return { pollables: [ticker], result: () => ticker.worstNs };
}

if (import.meta.main) {
  const ticks = new SharedArrayBuffer(4);
  const data: TickerData = { periodNs: 100_000, ticks };
  const core = allowedCores().at(-1)!;
  await using lane = await Lane.start({ module: new URL(import.meta.url), data, core, idle: 'busySpin' });
  const { policy, reasons } = lane.report;
  console.log(`on core ${lane.report.core}, ${policy} scheduling`);
  for (const reason of reasons) console.log(reason);
  await sleep(200);
  await lane.stop();
  const worstNs = (await lane.done) as number;
  const { passes, idlePasses } = lane.statistics();
  console.log(`${new Int32Array(ticks)[0]} ticks, the worst ${(worstNs / 1000).toFixed(1)} us late`);
  console.log(`${passes} passes, ${((100 * idlePasses) / passes).toFixed(1)} % of them idle`);
}
