import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FLOW_OUTCOMES } from '../../src/bpf/index.ts';
import { openPort, XdpPort } from '../../src/port/index.ts';
import { NetworkNamespace, withNetns } from '../../src/sys/index.ts';
import { requireRoot } from '../support/requirements.ts';
import { namesOf, rowsBelow } from './tables.ts';

// The tables of docs/xdp.md and docs/xdpReference.md against the code.

const namesIn = (page: string, heading: string): string[] =>
  namesOf(rowsBelow(readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8'), heading));

test('docs/xdp.md has every option of an xdp: spec', () => {
  assert.throws(
    () => openPort('xdp:x?nonsense=1', { flows: [{ port: 9000 }] }),
    (error: Error) => {
      const [, known] = /xdp knows ([^;]+)/.exec(error.message)!;
      assert.deepEqual(namesIn('xdp.md', 'Use'), known!.split(', '));
      return true;
    },
  );
});

test('docs/xdp.md has every outcome of the flow program', () => {
  assert.deepEqual(namesIn('xdp.md', 'What the program does'), [...FLOW_OUTCOMES]);
});

test('docs/xdpReference.md has every counter of a socket', (t) => {
  if (!requireRoot(t)) return;
  using namespace = NetworkNamespace.create();
  using port = withNetns(namespace, () => new XdpPort({ interface: 'lo', flows: [{ port: 9000 }] }));
  const counted = Object.keys(port.interface.statistics());
  assert.deepEqual(namesIn('xdpReference.md', 'Statistics').toSorted(), counted.toSorted());
});
