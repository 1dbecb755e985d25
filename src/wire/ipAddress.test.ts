import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatIp, parseIp } from './ipAddress.ts';

const NUM_RUNS = process.env.BAREWIRE_SOAK === '1' ? 100_000 : 1000;

test('parseIp() reads every form of RFC 4291 §2.2', () => {
  const hex = (text: string): string => Buffer.from(parseIp(text)).toString('hex');
  assert.equal(hex('192.0.2.33'), 'c0000221');
  assert.equal(hex('2001:DB8:0:0:8:800:200C:417A'), '20010db80000000000080800200c417a');
  assert.equal(hex('2001:db8::8:800:200c:417a'), '20010db80000000000080800200c417a');
  assert.equal(hex('::'), '00'.repeat(16));
  assert.equal(hex('::1'), `${'00'.repeat(15)}01`);
  assert.equal(hex('ff01::'), `ff01${'00'.repeat(14)}`);
  assert.equal(hex('::13.1.68.3'), `${'00'.repeat(12)}0d014403`);
  assert.equal(hex('::ffff:129.144.52.38'), `${'00'.repeat(10)}ffff81903426`);
  assert.equal(hex('1:2:3:4:5:6:7::'), '00010002000300040005000600070000');
});

test('parseIp() refuses what is no address and names it', () => {
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.-4',
    '1.2.3.4 ',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4::5:6:7:8',
    '12345::',
    'g::',
    '1.2.3.4::',
    '::1.2.3',
    '::1.2.3.4:5',
    'fe80::1%eth0',
    '1:',
    ':1',
    '1:2:3:4:5:6:7:1.2.3.4',
  ]) {
    assert.throws(() => parseIp(text), {
      name: 'TypeError',
      message: `Cannot parse IP address "${text}": wanted one such as 192.0.2.1 or 2001:db8::1`,
    });
  }
});

test('parseIp() takes and refuses what Node takes and refuses', () => {
  const piece = fc.constantFrom('0', '1', 'ab', 'ffff', '10000', ':', '::', '.', '1.2.3.4', '256', '01', '');
  const text = fc.array(piece, { maxLength: 17 }).map((pieces) => pieces.join(''));
  const colons = fc.array(fc.constantFrom('0', 'a1', '', '1.2.3.4'), { minLength: 6, maxLength: 9 });
  fc.assert(
    fc.property(
      fc.oneof(
        text,
        colons.map((groups) => groups.join(':')),
      ),
      (address) => {
        if (isIP(address) === 0) assert.throws(() => parseIp(address), TypeError);
        else assert.equal(parseIp(address).length, isIP(address) === 4 ? 4 : 16);
      },
    ),
    { numRuns: NUM_RUNS },
  );
});

test('formatIp() writes the canonical form of RFC 5952', () => {
  const canonical = (text: string): string => formatIp(parseIp(text));
  assert.equal(canonical('192.0.2.1'), '192.0.2.1');
  assert.equal(canonical('2001:0DB8::0001'), '2001:db8::1');
  assert.equal(canonical('2001:db8:0:0:0:0:2:1'), '2001:db8::2:1');
  assert.equal(canonical('2001:db8::1:1:1:1:1'), '2001:db8:0:1:1:1:1:1');
  assert.equal(canonical('2001:0:0:1:0:0:0:1'), '2001:0:0:1::1');
  assert.equal(canonical('2001:db8:0:0:1:0:0:1'), '2001:db8::1:0:0:1');
  assert.equal(canonical('0:0:0:0:0:0:0:0'), '::');
  assert.equal(canonical('0:0:0:0:0:ffff:c000:201'), '::ffff:192.0.2.1');
});

test('formatIp() agrees with the URL parser, and parseIp() reads it back', () => {
  const group = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.nat({ max: 0xffff }));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      const text = formatIp(Uint8Array.from(groups.flatMap((word) => [word >>> 8, word & 0xff])));
      const mapped = groups.slice(0, 5).every((word) => word === 0) && groups[5] === 0xffff;
      if (!mapped)
        assert.equal(
          `[${text}]`,
          new URL(`http://[${groups.map((word) => word.toString(16)).join(':')}]`).hostname,
        );
      assert.deepEqual(
        [...parseIp(text)],
        groups.flatMap((word) => [word >>> 8, word & 0xff]),
      );
    }),
    { numRuns: NUM_RUNS },
  );
});

test('formatIp() refuses what is neither 4 nor 16 bytes', () => {
  assert.throws(() => formatIp(new Uint8Array(6)), { name: 'TypeError', message: /6 bytes: wanted 4 or 16/ });
});
