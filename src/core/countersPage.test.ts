import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CountersPage } from './countersPage.ts';
import type { CountersPageSpec } from './countersSpec.ts';
import { Histogram } from './histogram.ts';

const NUM_RUNS = process.env.BAREWIRE_SOAK === '1' ? 20_000 : 300;

const SPEC = {
  labels: { lane: '0', port: 'xdp:eth0?queue=0' },
  counters: [
    { name: 'rx.frames', unit: 'frames', help: 'Frames received.' },
    { name: 'rx.dropped.badChecksum', unit: 'frames', help: 'Frames dropped: prüfsumme wrong.' },
    { name: 'book.depth', unit: 'orders', help: 'Orders that rest.', kind: 'gauge' },
  ],
  histograms: [
    { name: 'wireToBook', help: 'From the wire to the book.' },
    { name: 'pollTime', help: 'Duration of one poll.' },
  ],
} as const satisfies CountersPageSpec;

function pageMemory(spec: CountersPageSpec = SPEC): SharedArrayBuffer {
  return new SharedArrayBuffer(CountersPage.sizeOf(spec));
}

test('a page opened elsewhere lists every counter with name, unit, help, kind and value', () => {
  const memory = pageMemory();
  const writer = CountersPage.create(memory, 0, SPEC);
  const reader = CountersPage.open(memory, 0);
  writer.add(writer.indexOf('rx.frames'), 3);
  writer.add(writer.indexOf('rx.frames'), 2 ** 52);
  writer.values[writer.indexOf('book.depth')] = -7;
  assert.deepEqual(reader.readCounters(), [
    { ...SPEC.counters[0], kind: 'counter', value: 2 ** 52 + 3 },
    { ...SPEC.counters[1], kind: 'counter', value: 0 },
    { ...SPEC.counters[2], value: -7 },
  ]);
  assert.deepEqual(reader.spec.labels, SPEC.labels);
});

test('a page carries histograms that a reader sees live', () => {
  const memory = pageMemory();
  const writer = CountersPage.create(memory, 0, SPEC);
  const reader = CountersPage.open(memory, 0);
  writer.histogram('wireToBook').record(5_000);
  writer.histogram('pollTime').record(70);
  const [wireToBook, pollTime] = reader.readHistograms();
  assert.deepEqual([wireToBook?.name, wireToBook?.help], ['wireToBook', 'From the wire to the book.']);
  assert.deepEqual([wireToBook?.histogram.max, wireToBook?.histogram.count], [5_000, 1]);
  assert.deepEqual([pollTime?.histogram.max, reader.histograms[1]?.max], [70, 70]);
});

test('create() zeroes its own memory and nothing beside it', () => {
  const size = CountersPage.sizeOf(SPEC);
  const memory = new Uint8Array(size + 128).fill(0xee);
  const page = CountersPage.create(memory.buffer, 64, SPEC);
  assert.deepEqual([...page.values, page.histograms[0]?.count], [0, 0, 0, 0]);
  page.values.fill(1);
  for (const histogram of page.histograms) histogram.record(1);
  assert.deepEqual(new Set(memory.subarray(0, 64)), new Set([0xee]));
  assert.deepEqual(new Set(memory.subarray(64 + size)), new Set([0xee]));
  assert.equal(CountersPage.open(memory.buffer, 64).readCounters().length, 3);
});

test('open() writes nothing, so it reads a page through a read-only mapping', () => {
  const memory = pageMemory();
  CountersPage.create(memory, 0, SPEC);
  const before = new Uint8Array(memory).slice();
  const page = CountersPage.open(memory, 0);
  page.readCounters();
  page.readHistograms()[0]?.histogram.percentile(50);
  assert.deepEqual(new Uint8Array(memory), new Uint8Array(before));
});

test('a page without counters or histograms is a page', () => {
  const memory = pageMemory({ counters: [] });
  CountersPage.create(memory, 0, { counters: [] });
  const page = CountersPage.open(memory, 0);
  assert.deepEqual([page.readCounters(), page.readHistograms(), page.values.length], [[], [], 0]);
  assert.throws(() => page.histogram('wireToBook'), /RangeError: Cannot find a histogram/);
});

test('indexOf() and histogram() reject a name that the page does not have', () => {
  const page = CountersPage.create(pageMemory(), 0, SPEC);
  assert.throws(() => page.indexOf('wireToBook'), /RangeError: Cannot find a counter named wireToBook/);
  assert.throws(() => page.histogram('rx.frames'), /RangeError: Cannot find a histogram named rx.frames/);
});

test('sizeOf() rejects names that are malformed or stand twice', () => {
  const counters = (...names: string[]): CountersPageSpec => ({
    counters: names.map((name) => ({ name, unit: 'frames', help: '' })),
  });
  for (const name of ['', 'rx frames', '.rx', 'rx.', 'rx..tx', '9rx', 'x'.repeat(1025)]) {
    assert.throws(() => CountersPage.sizeOf(counters(name)), RangeError);
  }
  assert.throws(() => CountersPage.sizeOf(counters('rx', 'rx')), /Cannot use name rx twice on one page/);
  const clash = { ...counters('rx'), histograms: [{ name: 'rx', help: '' }] };
  assert.throws(() => CountersPage.sizeOf(clash), /Cannot use name rx twice/);
});

test('create() and open() reject a place that is unaligned or too small', () => {
  const memory = pageMemory();
  assert.throws(() => CountersPage.create(memory, 8, SPEC), /RangeError: .*multiple of 64 bytes, got 8/);
  assert.throws(() => CountersPage.create(memory, 64, SPEC), /RangeError: .*needs \d+ bytes from offset 64/);
  assert.throws(() => CountersPage.open(new ArrayBuffer(32), 0), RangeError);
});

function textAt(memory: SharedArrayBuffer): number {
  return Buffer.from(memory).indexOf('{"labels"');
}

test('open() says what is wrong with the memory', () => {
  const word = (index: number, value: number) => (memory: SharedArrayBuffer) => {
    new Int32Array(memory)[index] = value;
  };
  const text = (from: string, to: string) => (memory: SharedArrayBuffer) => {
    Buffer.from(memory).write(to, Buffer.from(memory).indexOf(from));
  };
  const cases: [(memory: SharedArrayBuffer) => void, RegExp][] = [
    [word(0, 0), /Cannot open a counters page at offset 0: magic must be 0x50435742, got 0x0/],
    [word(1, 9), /version must be 1, got 9/],
    [word(2, 64), /size must be \d+, got 64/],
    [word(3, 2 ** 30), /size must be/],
    [word(4, -1), /size must be/],
    [word(5, 0), /size must be/],
    [(memory) => new Uint8Array(memory).fill(0xff, textAt(memory)), /encoded data was not valid/],
    [text('"labels"', '"labels!'), /JSON/],
    [text('"unit"', '"tinu"'), /unit of rx.frames: it must be a string/],
    [text('gauge', 'guage'), /kind must be counter or gauge, got guage/],
    [text('"counters"', '"counterz"'), /counters: it must be an array, got undefined/],
    [text(',{"name":"book', `],"rest":[{"n":"`), /must name 3 counters and 2 histograms, got 2 and 2/],
    [text('"histograms"', '"histogramz"'), /must name 3 counters and 2 histograms, got 3 and 0/],
    [
      (memory) => new Int32Array(memory).fill(0, 128 / 4, 128 / 4 + 1),
      /Cannot open a histogram at offset 128: magic/,
    ],
  ];
  for (const [damage, message] of cases) {
    const memory = pageMemory();
    CountersPage.create(memory, 0, SPEC);
    damage(memory);
    assert.throws(
      () => CountersPage.open(memory, 0),
      (error: Error) => message.test(error.message) && error.cause instanceof Error,
      `${message}`,
    );
  }
});

test('open() of a page that is cut off says how much is missing', () => {
  const whole = new Uint8Array(pageMemory());
  CountersPage.create(whole.buffer, 0, SPEC);
  const cut = whole.slice(0, whole.length - 64).buffer;
  assert.throws(() => CountersPage.open(cut, 0), /it takes \d+ bytes, got \d+/);
});

test('open() of damaged memory throws or reads what fits, never anything else', () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 });
  const property = fc.property(damage, fc.boolean(), (bytes, inHeader) => {
    const memory = pageMemory();
    CountersPage.create(memory, 0, SPEC);
    const view = new Uint8Array(memory);
    const start = inHeader ? 0 : textAt(memory);
    const len = inHeader ? 64 : view.length - start;
    for (const [at, byte] of bytes) view[start + (at % len)] = byte;
    try {
      const page = CountersPage.open(memory, 0);
      assert.equal(page.readCounters().length, 3);
      assert.equal(page.readHistograms().length, 2);
    } catch (error) {
      assert.match((error as Error).message, /^Cannot open a counters page at offset 0: /);
    }
  });
  fc.assert(property, { numRuns: NUM_RUNS });
});

test('a page takes 31 KiB per histogram and a few lines besides', () => {
  const one = CountersPage.sizeOf({ counters: SPEC.counters });
  const two = CountersPage.sizeOf(SPEC);
  assert.ok(one < 1024, `${one}`);
  assert.ok(two - one - 2 * Histogram.SIZE < 256, `${two - one}`);
});
