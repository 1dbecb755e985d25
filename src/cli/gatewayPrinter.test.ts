import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DestinationReading, GatewayReading } from '../operate/index.ts';
import { GatewayPrinter } from './gatewayPrinter.ts';

const NAMES = ['memif:/run/app1', 'memif:/b'];

function destination(spec: Partial<DestinationReading> = {}): DestinationReading {
  const none = { sent: 0, dropped: {} };
  return { to: '', connected: true, lost: null, in: none, out: none, portDrops: {}, ...spec };
}

function reading(atNs: number, spec: Partial<GatewayReading> = {}): GatewayReading {
  const destinations = [destination(), destination()];
  return { atNs, received: 0, dropped: {}, portDrops: {}, destinations, ...spec };
}

test('GatewayPrinter shows rates and the drops of the last second, in columns', () => {
  const printer = new GatewayPrinter(NAMES);
  const lines = [
    ...printer.lines(reading(0)),
    ...printer.lines(
      reading(2e9, {
        destinations: [
          destination({
            in: { sent: 3_000_000, dropped: { full: 3 } },
            out: { sent: 20, dropped: { full: 1 } },
          }),
          destination({ connected: false, in: { sent: 0, dropped: { notConnected: 7 } } }),
        ],
      }),
    ),
  ];
  assert.deepEqual(lines, [
    'second  destination      connected       in pps      out pps  drops',
    '     1  memif:/run/app1  yes          1,500,000           10  in.full 3, out.full 1',
    '     1  memif:/b         no                   0            0  in.notConnected 7',
  ]);
});

test('GatewayPrinter tells a drop in the second in which it happened, and frames for nobody in a line of their own', () => {
  const printer = new GatewayPrinter(NAMES);
  const dropped = { dropped: { noFlow: 4 }, portDrops: { rxRingFull: 2 } };
  printer.lines(reading(0));
  const first = printer.lines(reading(1e9, dropped));
  assert.equal(
    first.at(-1),
    '     1  nobody                                                noFlow 4, rxRingFull 2',
  );
  const second = printer.lines(
    reading(2e9, { ...dropped, destinations: [destination(), destination({ lost: 'gone' })] }),
  );
  assert.equal(second.length, 2);
  assert.match(second[1]!, /^ {5}2 {2}memif:\/b {9}lost /);
});

test('GatewayPrinter shows everything that was forwarded and dropped at the end', () => {
  const last = reading(9e9, {
    dropped: { notIp: 1 },
    destinations: [
      destination({ in: { sent: 1234, dropped: {} }, out: { sent: 5, dropped: { notAllowed: 2 } } }),
      destination(),
    ],
  });
  assert.equal(
    new GatewayPrinter(NAMES).totals(last),
    [
      'destination         in  out  drops',
      'memif:/run/app1  1,234    5  out.notAllowed 2',
      'memif:/b             0    0  -',
      'nobody                       notIp 1',
    ].join('\n'),
  );
});
