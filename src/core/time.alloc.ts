import type { AllocationCase } from '../../tools/allocationCase.ts';
import { CountersPage } from './countersPage.ts';
import { TimerWheel } from './timerWheel.ts';

// Times are around 2^50 ns, as on a machine that has been up for 13 days: beyond int32, where a number that leaves a
// register or a typed array costs an object.

const START_NS = 2 ** 50;
const TICK_NS = 1000;

const spec = {
  labels: {},
  counters: [{ name: 'bytes', unit: 'bytes', help: 'bytes' }],
  histograms: [{ name: 'latency', help: 'latency' }],
};
const page = CountersPage.create(new SharedArrayBuffer(CountersPage.sizeOf(spec)), 0, spec);
const histogram = page.histograms[0]!;

const wheel = new TimerWheel({ capacity: 1024, tickNs: TICK_NS, nowNs: START_NS });
const handles = new Int32Array(64);
/** In an array: a variable of the module would be an object for each time that it held. */
const nowNs = Float64Array.of(START_NS);
let fired = 0;
let cancelled = 0;

const onTimer = (kind: number, data: number): void => {
  fired += kind + data;
};

const cases: AllocationCase[] = [
  {
    name: 'counters and histogram, near and far beyond int32',
    covers: ['CountersPage.add', 'Histogram.record'],
    run(count: number): void {
      const before = page.values[0]!;
      for (let i = 0; i < count; i++) {
        page.add(0, 1500);
        const latencyNs = (i & 0xffff) * (1 + (i & 7) * 2 ** 18);
        histogram.record(latencyNs - 1);
      }
      if (page.values[0] !== before + 1500 * count) throw new Error('bytes were lost');
    },
  },
  {
    name: 'timers: scheduled near and far, cancelled, fired',
    covers: ['TimerWheel.schedule', 'TimerWheel.cancel', 'TimerWheel.advance'],
    run(count: number): void {
      fired = 0;
      cancelled = 0;
      for (let i = 0; i < count; i++) {
        // Of every four the first moves down from a higher level before it fires, and the third is cancelled.
        const ticks = (i & 3) === 0 ? 500 : 1 + (i & 15);
        handles[i & 63] = wheel.schedule(nowNs[0]! + ticks * TICK_NS, 1, 0);
        if ((i & 1) === 0) continue;
        if ((i & 3) === 3 && wheel.cancel(handles[(i - 1) & 63]!)) cancelled++;
        nowNs[0]! += TICK_NS;
        wheel.advance(nowNs[0]!, onTimer);
      }
      if (cancelled < (count >>> 2) - 1 || fired + cancelled < count - 1024)
        throw new Error(`${count} timers: ${fired} fired, ${cancelled} cancelled`);
    },
  },
];
export default cases;
