import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { MemifPort, openPort } from '../../src/port/index.ts';
import { namesOf, rowsBelow } from './tables.ts';

// The tables of docs/memif.md against the code.

const text = readFileSync(new URL('../../docs/memif.md', import.meta.url), 'utf8');
const options = rowsBelow(text, 'Use');

/** What a row says is the default of an option, without the prose around it. */
function defaultOf(option: string): string {
  const row = options.find((line) => line.startsWith(`| \`${option}\` |`));
  return row!.split('|')[2]!.replaceAll('`', '').trim();
}

test('docs/memif.md has every option of a memif: spec', () => {
  assert.throws(
    () => openPort('memif:@x?nonsense=1'),
    (error: Error) => {
      const [, known] = /memif knows ([^;]+)/.exec(error.message)!;
      assert.deepEqual(namesOf(options), known!.split(', '));
      return true;
    },
  );
});

test('docs/memif.md has the defaults', () => {
  using port = new MemifPort({ path: `@barewire-docs-${process.pid}` });
  const { interface: opened, mtu } = port;
  assert.equal(defaultOf('role'), opened.role);
  assert.equal(Number(defaultOf('chunk')), opened.memory.chunkLen);
  assert.equal(Number(defaultOf('mtu')), mtu);
  const formula = /^queues × (\d) × ring \+ (\d+)$/.exec(defaultOf('chunks'))!;
  const [, rings, inHand] = formula.map(Number);
  const chunks = Number(defaultOf('queues')) * rings! * Number(defaultOf('ring')) + inHand!;
  assert.equal(opened.memory.pool.count, chunks);
});

test('docs/memif.md has every reason for which a memif: port loses frames', () => {
  using port = new MemifPort({ path: `@barewire-docs-${process.pid}` });
  const reasons = Object.keys(port.statistics().drops);
  assert.deepEqual(namesOf(rowsBelow(text, 'Life of a connection')).toSorted(), reasons.toSorted());
});
