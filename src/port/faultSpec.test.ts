import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FaultRandom, thresholdOf } from './faultRandom.ts';
import { checkFaultSpec, describeFaults, parseFaultSpec } from './faultSpec.ts';

describe('parseFaultSpec()', () => {
  it('reads every fault', () => {
    const text = 'loss:0.01,duplicate:.005,reorder:0.02,corrupt:1,delay:1.5us,seed:7,on:rx';
    assert.deepEqual(parseFaultSpec(text), {
      loss: 0.01,
      duplicate: 0.005,
      reorder: 0.02,
      corrupt: 1,
      delayNs: 1500,
      seed: 7,
      on: 'rx',
    });
  });

  it('reads delays in every unit', () => {
    const delays = ['20ns', '20us', '20ms', '2s'].map((text) => parseFaultSpec(`delay:${text}`).delayNs);
    assert.deepEqual(delays, [20, 20_000, 20_000_000, 2_000_000_000]);
  });

  it('refuses what makes no sense, with what does', () => {
    const cases: readonly [string, RegExp][] = [
      ['', /want FAULT:VALUE such as loss:0\.01,.*got ""/],
      ['loss', /got "loss"/],
      ['jitter:1us', /got "jitter:1us"/],
      ['constructor:1', /got "constructor:1"/],
      ['loss:0.1,loss:0.2', /loss stands twice/],
      ['loss:1.01', /loss must be a part of all frames, 0 to 1, got "1\.01"/],
      ['loss:-0.1', /loss must be a part/],
      ['loss:', /loss must be a part/],
      ['corrupt:many', /corrupt must be a part/],
      ['delay:50', /delay must be a time such as 50us, in ns, us, ms or s, got "50"/],
      ['seed:4294967296', /seed must be a whole number up to 4294967295/],
      ['seed:0x7', /seed must be a whole number/],
      ['on:all', /on must be rx, tx or both, got "all"/],
    ];
    for (const [text, message] of cases) assert.throws(() => parseFaultSpec(text), message, text);
  });
});

describe('describeFaults()', () => {
  it('names what is injected, and the seed that repeats it', () => {
    assert.equal(describeFaults({ loss: 0.5, delayNs: 20 }), 'loss 0.5, delay 20 ns, seed 1, on both');
  });
});

describe('checkFaultSpec()', () => {
  it('refuses parts, delays and seeds out of range', () => {
    assert.throws(() => checkFaultSpec({ loss: 2 }), /loss must be 0 to 1, got 2/);
    assert.throws(() => checkFaultSpec({ corrupt: Number.NaN }), /corrupt must be 0 to 1, got NaN/);
    assert.throws(() => checkFaultSpec({ delayNs: -1 }), /delayNs must be 0 or more, got -1/);
    assert.throws(() => checkFaultSpec({ delayNs: Number.POSITIVE_INFINITY }), /delayNs/);
    assert.throws(() => checkFaultSpec({ seed: 0.5 }), /seed must be 0 to 4294967295, got 0\.5/);
    checkFaultSpec({ loss: 1, seed: 0 });
  });
});

describe('FaultRandom', () => {
  /** Written after PractRand's sfc32 in whole numbers of any size, to be compared with. */
  function* reference(seed: number, stream: number): Generator<number> {
    const word = 2n ** 32n;
    let [a, b, c, counter] = [BigInt(stream), BigInt(seed), 0n, 1n];
    for (let i = 0; ; i++) {
      const sum = (a + b + counter++) % word;
      a = b ^ (b >> 9n);
      b = (c + (c << 3n)) % word;
      c = ((((c << 21n) | (c >> 11n)) % word) + sum) % word;
      if (i >= 16) yield Number(sum >> 2n);
    }
  }

  it('gives the numbers of sfc32', () => {
    for (const [seed, stream] of [
      [0, 1],
      [7, 2],
      [0xffff_ffff, 1],
    ] as const) {
      const random = new FaultRandom(seed, stream);
      const wanted = reference(seed, stream).take(1000).toArray();
      assert.deepEqual(
        wanted.map(() => random.next()),
        wanted,
      );
    }
  });

  it('is below a threshold as often as the threshold says', () => {
    const random = new FaultRandom(1, 1);
    for (const part of [0, 0.01, 0.5, 1]) {
      const threshold = thresholdOf(part);
      let below = 0;
      for (let i = 0; i < 100_000; i++) if (random.next() < threshold) below++;
      assert.ok(Math.abs(below / 100_000 - part) < 0.005, `${below} of 100000 for ${part}`);
      if (part === 0 || part === 1) assert.equal(below, part * 100_000);
    }
  });
});
