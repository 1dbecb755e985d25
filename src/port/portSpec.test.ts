import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { OptionReader, parsePortSpec } from './portSpec.ts';

describe('parsePortSpec()', () => {
  it('takes scheme, target and options apart, and decodes keys and values', () => {
    const { scheme, target, options, text } = parsePortSpec('pcap:a/b:c.pcap?out=x%26y%25.pcap&mac=1=2&&');
    assert.deepEqual([scheme, target], ['pcap', 'a/b:c.pcap']);
    assert.deepEqual(
      [...options],
      [
        ['out', 'x&y%.pcap'],
        ['mac', '1=2'],
      ],
    );
    assert.equal(text, 'pcap:a/b:c.pcap?out=x%26y%25.pcap&mac=1=2&&');
    assert.deepEqual([...parsePortSpec('loop:').options], []);
  });

  it('says what is wrong with a spec', () => {
    for (const [text, message] of [
      ['eth0', /^Cannot read port spec: want SCHEME:TARGET.* got "eth0"$/],
      ['', /^Cannot read port spec/],
      ['Xdp:eth0', /^Cannot read port spec/],
      ['loop:a?chunks', /^Cannot read option "chunks" of "loop:a\?chunks": want KEY=VALUE$/],
      ['loop:a?=1', /^Cannot read option "=1"/],
      ['loop:a?ring=1&ring=2', /^Cannot read "loop:a\?ring=1&ring=2": option ring stands twice$/],
      ['loop:a?trace=100%', /^Cannot read option "trace=100%" of .*: want % as %25$/],
      ['loop:a?%f=1', /^Cannot read option "%f=1"/],
    ] as const) {
      assert.throws(() => parsePortSpec(text), { name: 'TypeError', message });
    }
  });

  it('reads any text or throws a TypeError', () => {
    fc.assert(
      fc.property(fc.string(), (rest) => {
        try {
          assert.equal(parsePortSpec(`xdp:${rest}`).scheme, 'xdp');
        } catch (error) {
          assert.ok(error instanceof TypeError, String(error));
        }
      }),
    );
  });
});

describe('OptionReader', () => {
  it('reads options by type, undefined where they are absent', () => {
    const reader = new OptionReader(parsePortSpec('x:?n=7&list=1,2&yes=true&kind=b&text=any'));
    assert.equal(reader.integer('n'), 7);
    assert.deepEqual(reader.integers('list'), [1, 2]);
    assert.equal(reader.flag('yes'), true);
    assert.equal(reader.choice('kind', ['a', 'b']), 'b');
    assert.equal(reader.text('text'), 'any');
    const absent = [reader.integer('a'), reader.integers('b'), reader.flag('c'), reader.choice('d', ['e'])];
    assert.deepEqual(absent, [undefined, undefined, undefined, undefined]);
    reader.end([]);
  });

  it('refuses values of another type, and options that nobody asked for', () => {
    const reader = new OptionReader(parsePortSpec('x:?n=-7&list=1,&yes=1&kind=c&other=1'));
    assert.throws(() => reader.integer('n'), /n must be a whole number, got "-7"/);
    assert.throws(() => reader.integers('list'), /list must be whole numbers apart by commas, got "1,"/);
    assert.throws(() => reader.flag('yes'), /yes must be true or false, got "1"/);
    assert.throws(() => reader.choice('kind', ['a', 'b']), /kind must be a or b, got "c"/);
    assert.throws(
      () => reader.end(['n', 'list']),
      /^TypeError: Cannot open .*: no option "other"; x knows n, list$/,
    );
  });
});
