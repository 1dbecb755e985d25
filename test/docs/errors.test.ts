import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { orderErrorHelp, orderErrorNames, UdpSource } from '../../src/order/index.ts';
import { LoopPort, openPort } from '../../src/port/index.ts';
import { hints, NetworkNamespace, withNetns } from '../../src/sys/index.ts';
import { frameErrorHelp, frameErrorNames } from '../../src/wire/index.ts';
import { requireRoot } from '../support/requirements.ts';
import { rowsBelow } from './tables.ts';

// The tables of docs/errors.md against the sources that they name. After a change of those:
//
//   BAREWIRE_WRITE_DOCS=1 npm test -- test/docs/errors.test.ts

const page = new URL('../../docs/errors.md', import.meta.url);
const cell = (text: string): string => text.replaceAll('|', '\\|');

/** Compares a table with its source, or writes it. */
function sameTable(heading: string, wanted: readonly string[]): void {
  const text = readFileSync(page, 'utf8');
  if (process.env.BAREWIRE_WRITE_DOCS === '1') {
    const [before, after] = text.split(`\n## ${heading}\n`) as [string, string];
    const table = /^(\| .+\n\|[-|]+\n)(?:\|.*\n)*/m;
    const section = after.replace(table, (_, head: string) => `${head}${wanted.join('\n')}\n`);
    writeFileSync(page, `${before}\n## ${heading}\n${section}`);
    return;
  }
  assert.deepEqual(rowsBelow(text, heading), wanted);
}

const reasonRows = <Name extends string>(
  names: readonly Name[],
  help: Readonly<Record<Name, string>>,
): string[] =>
  names.filter((name) => name !== 'accepted').map((name) => `| \`${name}\` | ${cell(help[name])} |`);

test('docs/errors.md has every hint', () => {
  sameTable(
    'Hints',
    hints.map(({ syscall, code, hint }) => `| ${syscall} | ${code} | ${cell(hint)} |`),
  );
});

test('docs/errors.md has every reason to refuse a frame', () => {
  sameTable('Frames that are refused', reasonRows(frameErrorNames, frameErrorHelp));
});

test('docs/errors.md has every reason to reject an order', () => {
  sameTable('Orders that are rejected', reasonRows(orderErrorNames, orderErrorHelp));
});

/** The reasons that the page lists for what a scheme loses. */
const lostBy = (from: string): string[] =>
  rowsBelow(readFileSync(page, 'utf8'), 'Frames and datagrams that are lost')
    .map((row) => row.split('|').map((text) => text.trim()))
    .filter(([, , scheme]) => scheme === from)
    .map(([, name]) => name!.replaceAll('`', ''));

test('docs/errors.md has every reason to lose a frame of loop:', () => {
  const [end] = LoopPort.pair();
  assert.deepEqual(lostBy('`loop:`'), Object.keys(end.statistics().drops));
});

test('docs/errors.md has every reason to lose a frame of pcap:, to which a capture adds none', () => {
  using port = openPort('pcap:?out=/dev/null&capture=/dev/null');
  assert.deepEqual(lostBy('`pcap:`'), Object.keys(port.statistics().drops));
});

test('docs/errors.md has every reason to lose a frame of tap:', (t) => {
  if (!requireRoot(t)) return;
  using namespace = NetworkNamespace.create();
  using port = withNetns(namespace, () => openPort('tap:'));
  assert.deepEqual(lostBy('`tap:`'), Object.keys(port.statistics().drops));
});

test('docs/errors.md has every reason to lose a frame on purpose', () => {
  using port = openPort('loop:faults?faults=loss:1');
  const added = Object.keys(port.statistics().drops).slice(lostBy('`loop:`').length);
  assert.deepEqual(lostBy('`faults=`'), added);
});

test('docs/errors.md has every reason to lose a datagram of udp:', () => {
  using source = new UdpSource(
    { onPayload: () => {}, onBurstEnd: () => {} },
    { address: '127.0.0.1', port: 0 },
  );
  const own = Object.keys(source.drops()).filter((name) => !lostBy('any source').includes(name));
  assert.deepEqual(lostBy('`udp:`'), own);
});

test('docs/errors.md has every reason to lose a frame of xdp:', (t) => {
  if (!requireRoot(t)) return;
  using namespace = NetworkNamespace.create();
  using port = withNetns(namespace, () => openPort('xdp:lo', { flows: [{ port: 9000 }] }));
  assert.deepEqual(lostBy('`xdp:`'), Object.keys(port.statistics().drops));
});
