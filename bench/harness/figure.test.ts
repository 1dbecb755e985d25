import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Figure, toFigures, toJsonLine } from './figure.ts';

const plain = { figure: 'throughput', unit: 'M records/s', ours: [50, 10, 40] } as const;

test('toFigures() reports the median over the rounds', () => {
  assert.deepEqual(toFigures('ring', [plain], 1.5), [
    {
      case: 'ring',
      figure: 'throughput',
      unit: 'M records/s',
      ours: 40,
      peer: null,
      ratio: null,
      rounds: 3,
      calibration: 1.5,
      verdicts: [],
    },
  ]);
});

test('toFigures() reports each peer beside ours, with the ratio of the medians', () => {
  const peers = [
    { name: 'node:dgram', values: [100, 80, 160] },
    { name: 'C', values: [20, 20, 20] },
  ];
  const figures = toFigures('rtt', [{ ...plain, peers }], 1);
  assert.deepEqual(
    figures.map(({ ours, peer, ratio }) => ({ ours, peer, ratio })),
    [
      { ours: 40, peer: { name: 'node:dgram', value: 100 }, ratio: 0.4 },
      { ours: 40, peer: { name: 'C', value: 20 }, ratio: 2 },
    ],
  );
});

test('toFigures() holds ours against its target once, and each ratio against its own', () => {
  const peers = [
    { name: 'a', values: [100], target: { op: '<=', value: 0.5 } },
    { name: 'b', values: [20], target: { op: '<', value: 1 } },
    { name: 'c', values: [20] },
  ] as const;
  const target = { op: '>=', value: 60, scaled: true } as const;
  const figures = toFigures('rtt', [{ ...plain, target, peers }], 2);
  assert.deepEqual(
    figures.map(({ verdicts }) => verdicts.map(({ met, text }) => `${met} ${text}`)),
    [['true ≥ 60, here 30', 'true ratio ≤ 1/2'], ['false ratio < 1'], []],
  );
});

test('toJsonLine() writes exactly the promised keys, in their order', () => {
  const peers = [{ name: 'node:dgram', values: [100] }];
  const [figure] = toFigures('rtt', [{ ...plain, target: { op: '<', value: 1 }, peers }], 1.25);
  assert.equal(
    toJsonLine(figure!),
    '{"case":"rtt","figure":"throughput","unit":"M records/s","ours":40,"peer":{"name":"node:dgram","value":100},' +
      '"ratio":0.4,"rounds":3,"calibration":1.25}',
  );
});

test('toJsonLine() writes null for a peer that is not there', () => {
  const parsed = JSON.parse(toJsonLine(toFigures('ring', [plain], 1)[0]!)) as Figure;
  assert.equal(parsed.peer, null);
  assert.equal(parsed.ratio, null);
});

test('toJsonLine() writes six significant digits', () => {
  const [figure] = toFigures('ring', [{ ...plain, ours: [1234.56789] }], 1 / 3);
  const { ours, calibration } = JSON.parse(toJsonLine(figure!)) as Figure;
  assert.equal(ours, 1234.57);
  assert.equal(calibration, 0.333333);
});
