import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toFigures } from './figure.ts';
import { renderTable } from './table.ts';

test('renderTable() aligns numbers to the right, all else to the left, and leaves out what nobody has', () => {
  const figures = toFigures(
    'ring',
    [
      { figure: 'throughput', unit: 'M records/s', ours: [85.21] },
      { figure: 'round trip', unit: 'ns', ours: [412.6] },
    ],
    1,
  );
  assert.equal(
    renderTable(figures),
    [
      'case  figure      ours  unit',
      'ring  throughput  85.2  M records/s',
      '      round trip   413  ns',
    ].join('\n'),
  );
});

test('renderTable() says once what holds for several peers, and marks targets', () => {
  const peers = [
    { name: 'node:dgram', values: [120], target: { op: '<=', value: 1 / 12 } },
    { name: 'spinning', values: [12.5], target: { op: '<', value: 1 } },
  ] as const;
  const figures = [
    ...toFigures('rtt', [{ figure: 'p50', unit: 'us', ours: [11], peers }], 1),
    ...toFigures('rx', [{ figure: 'p50', unit: 'us', ours: [2], target: { op: '<=', value: 3 } }], 1),
  ];
  assert.equal(
    renderTable(figures),
    [
      "case  figure  ours  unit  peer        peer's  ratio  to reach",
      'rtt   p50       11  us    node:dgram     120  0.092  ✗ ratio ≤ 1/12',
      '                          spinning      12.5  0.880  ✓ ratio < 1',
      'rx    p50        2  us                               ✓ ≤ 3',
    ].join('\n'),
  );
});
