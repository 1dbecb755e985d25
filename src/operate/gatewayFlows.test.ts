import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '../wire/index.ts';
import type { FlowTable } from './flowTable.ts';
import { receivedFlows, sentFlows } from './gatewayFlows.ts';

const HOST = [parseIp('10.0.0.2'), parseIp('10.0.0.3'), parseIp('fd00::2')];

function find(table: FlowTable, port: number, address: string): number {
  const bytes = parseIp(address);
  return table.find(bytes.length === 4 ? 4 : 6, port, new DataView(bytes.buffer), 0);
}

test('receivedFlows() takes a flow without an address for both IP versions', () => {
  const table = receivedFlows([[{ port: 9000 }], [{ port: 9001, version: 6 }]]);
  assert.equal(find(table, 9000, '10.0.0.2'), 0);
  assert.equal(find(table, 9000, 'fd00::2'), 0);
  assert.equal(find(table, 9001, '10.0.0.2'), -1);
  assert.equal(find(table, 9001, 'fd00::2'), 1);
});

test('receivedFlows() refuses the same flow twice, however it is written, and a destination without one', () => {
  assert.throws(() => receivedFlows([[{ port: 9000 }], [{ port: 9000 }]]), /flow udp:9000 stands twice/);
  const twice = [[{ port: 9, address: 'fd00::1' }], [{ port: 9, address: parseIp('fd00:0::0:1') }]];
  assert.throws(() => receivedFlows(twice), /flow udp:\[fd00::1\]:9 stands twice/);
  assert.throws(() => receivedFlows([[{ port: 9000 }], [{ port: 9000, version: 4 }]]), /stands twice/);
  assert.throws(() => receivedFlows([[{ port: 9000 }], []]), /destination 2 has no flow/);
  receivedFlows([[{ port: 9000 }], [{ port: 9000, address: '10.0.0.2' }]]);
});

test('sentFlows() lets a flow with an address send from it alone', () => {
  const table = sentFlows([[{ port: 9000, address: '10.0.0.2' }]], 0, HOST);
  assert.equal(find(table, 9000, '10.0.0.2'), 0);
  assert.equal(find(table, 9000, '10.0.0.3'), -1);
  assert.equal(find(table, 9001, '10.0.0.2'), -1);
});

test('sentFlows() lets a flow for any address, or of many, send from the addresses of the interface', () => {
  const toMany = ['239.1.1.1', '255.255.255.255'].map((address) => ({ port: 9000, address }));
  for (const flow of [{ port: 9000 }, ...toMany]) {
    const table = sentFlows([[flow]], 0, HOST);
    assert.equal(find(table, 9000, '10.0.0.2'), 0);
    assert.equal(find(table, 9000, '10.0.0.4'), -1);
    assert.equal(find(table, 9000, '239.1.1.1'), -1);
    assert.equal(find(table, 9000, '255.255.255.255'), -1);
  }
  assert.equal(find(sentFlows([[{ port: 9000 }]], 0, HOST), 9000, 'fd00::2'), 0);
  assert.equal(find(sentFlows([[{ port: 9000 }]], 0, undefined), 9000, '203.0.113.7'), 0);
});

test('sentFlows() lets nobody send from the flow that is by name another one', () => {
  const flows = [[{ port: 9000 }], [{ port: 9000, address: '10.0.0.2' }]];
  for (const addresses of [HOST, undefined]) {
    assert.notEqual(find(sentFlows(flows, 0, addresses), 9000, '10.0.0.2'), 0);
    assert.equal(find(sentFlows(flows, 0, addresses), 9000, '10.0.0.3'), 0);
    assert.equal(find(sentFlows(flows, 1, addresses), 9000, '10.0.0.2'), 1);
    assert.notEqual(find(sentFlows(flows, 1, addresses), 9000, '10.0.0.3'), 1);
  }
});
