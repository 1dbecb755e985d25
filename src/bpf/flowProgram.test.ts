import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FlowMetadata } from './flowMetadata.ts';
import { flowProgramSpec } from './flowProgram.ts';
import { destinationsOf } from './flowSpec.ts';

test('destinationsOf() returns a destination for each IP version that a flow may have', () => {
  const address = (text: string): Uint8Array | undefined =>
    destinationsOf({ port: 1, address: text })[0]?.address;
  assert.deepEqual(
    destinationsOf({ port: 9000 }).map((each) => each.version),
    [4, 6],
  );
  assert.deepEqual(destinationsOf({ port: 9000, version: 6 }), [
    { version: 6, port: 9000, address: undefined },
  ]);
  assert.deepEqual(address('10.0.0.255'), Uint8Array.of(10, 0, 0, 255));
  assert.deepEqual(address('fe80::1:2'), Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2));
  assert.deepEqual(
    destinationsOf({ port: 65535, address: Uint8Array.of(10, 0, 0, 1), version: 4 }).map(
      (each) => each.version,
    ),
    [4],
  );
});

test('destinationsOf() refuses ports and addresses that cannot be', () => {
  for (const port of [0, 65536, 1.5, Number.NaN]) {
    assert.throws(() => destinationsOf({ port }), { name: 'RangeError', message: /Cannot match UDP port/ });
  }
  assert.throws(() => destinationsOf({ port: 1, address: '10.0.0' }), TypeError);
  assert.throws(() => destinationsOf({ port: 1, address: 'fe80::1%eth0' }), TypeError);
  assert.throws(() => destinationsOf({ port: 1, address: new Uint8Array(5) }), /an address of 5 bytes/);
  assert.throws(() => destinationsOf({ port: 1, address: '10.0.0.1', version: 6 }), /it is of IPv4/);
  assert.throws(() => destinationsOf({ port: 1, address: '::1', version: 4 }), /it is of IPv6/);
});

test('flowProgramSpec() refuses numbers that cannot be', () => {
  const flows = [{ port: 9000 }];
  assert.throws(() => flowProgramSpec({ flows: [], queues: 1 }), /1 to 64 flows fit, got 0/);
  assert.throws(() => flowProgramSpec({ flows: new Array(65).fill(flows[0]), queues: 1 }), /got 65/);
  for (const queues of [0, -1, 1.5]) {
    assert.throws(() => flowProgramSpec({ flows, queues }), /queues must be 1 or more/);
  }
  const maxVlanTags = 3 as 2;
  assert.throws(
    () => flowProgramSpec({ flows, queues: 1, maxVlanTags }),
    /maxVlanTags must be 0, 1 or 2, got 3/,
  );
});

test('flowProgramSpec() is plain data with a socket for each nicQueue', () => {
  const spec = flowProgramSpec({ flows: [{ port: 9000 }], queues: 12 });
  assert.deepEqual(structuredClone(spec), spec);
  assert.equal(spec.maps?.find((map) => map.name === 'xsks')?.capacity, 12);
});

test('flowProgramSpec() has code for as many VLAN tags as asked, and no more', () => {
  const labels = (maxVlanTags: 0 | 1 | 2): string[] => {
    const { assembly } = flowProgramSpec({ flows: [{ port: 9000 }], queues: 1, maxVlanTags });
    return [...assembly.labels.keys()].filter((label) => label.startsWith('tag'));
  };
  assert.deepEqual([labels(0), labels(1), labels(2)], [[], ['tag1'], ['tag1', 'tag2']]);
});

test('flowProgramSpec() binds a program to its device only when the driver is asked, and licenses it for that', () => {
  const base = { flows: [{ port: 9000 }], queues: 1, boundTo: 7 };
  const called = (metadata?: FlowMetadata): string[] => {
    const spec = flowProgramSpec({ ...base, ...(metadata && { metadata }) });
    const names = spec.assembly.functionReferences.map(({ name }) =>
      name.replace('bpf_xdp_metadata_rx_', ''),
    );
    assert.equal(spec.boundTo, names.length > 0 ? 7 : undefined);
    assert.equal(spec.license, names.length > 0 ? 'Dual MIT/GPL' : undefined);
    return names;
  };
  assert.deepEqual(called(), []);
  assert.deepEqual(called({}), []);
  assert.deepEqual(called({ timestamp: 'kernel', hash: false, vlan: false }), []);
  assert.deepEqual(called({ timestamp: 'hardware' }), ['timestamp']);
  assert.deepEqual(called({ hash: true }), ['hash']);
  assert.deepEqual(called({ vlan: true }), ['vlan_tag']);
  assert.deepEqual(called({ timestamp: 'hardware', hash: true, vlan: true }), [
    'timestamp',
    'hash',
    'vlan_tag',
  ]);
});

test('flowProgramSpec() wants to know the interface whose driver is asked', () => {
  for (const metadata of [{ timestamp: 'hardware' }, { hash: true }, { vlan: true }] as const) {
    assert.throws(() => flowProgramSpec({ flows: [{ port: 9000 }], queues: 1, metadata }), {
      name: 'TypeError',
      message: 'Cannot generate flow program: metadata of the driver needs boundTo, its interface',
    });
  }
});

test('flowProgramSpec() takes frames in several buffers only when asked', () => {
  const flows = [{ port: 9000 }];
  assert.equal(flowProgramSpec({ flows, queues: 1, frags: true }).frags, true);
  assert.equal(flowProgramSpec({ flows, queues: 1 }).frags, undefined);
});
