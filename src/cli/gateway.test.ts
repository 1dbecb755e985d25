import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CommanderError } from 'commander';
import { gatewayCommand } from './gateway.ts';

/** The destinations that a command line comes to; nothing is opened. */
function destinationsOf(line: string): unknown {
  let destinations: unknown;
  const command = gatewayCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .action((flags: { to: unknown }) => {
      destinations = flags.to;
    });
  command.parse(line.split(' '), { from: 'user' });
  return destinations;
}

function refusalOf(line: string): string {
  try {
    destinationsOf(line);
  } catch (error) {
    return (error as CommanderError).message;
  }
  return '';
}

test('gateway gives each flow to the destination before it', () => {
  const line =
    '--to memif:/a?mode=0660 --flow udp:9000 --from xdp:eth0 --to memif:/b --flow udp:[fd00::1]:1 --flow udp:2';
  assert.deepEqual(destinationsOf(line), [
    { to: 'memif:/a?mode=0660', flows: [{ port: 9000 }] },
    { to: 'memif:/b', flows: [{ port: 1, address: 'fd00::1' }, { port: 2 }] },
  ]);
});

test('gateway refuses a flow before any destination, one that is none, and a destination that is none', () => {
  assert.match(
    refusalOf('--from xdp:eth0 --flow udp:9000 --to memif:/a'),
    /Give the --to that it belongs to/,
  );
  assert.match(refusalOf('--from xdp:eth0 --to memif:/a --flow tcp:9000'), /want udp:PORT/);
  assert.match(refusalOf('--from xdp:eth0 --to /a --flow udp:9000'), /want SCHEME:TARGET/);
  assert.match(refusalOf('--from xdp:eth0 --to memif:/a'), /--flow <flow>' not specified/);
  assert.match(refusalOf('--from xdp:eth0'), /not specified/);
});

test('gateway refuses a time that no timer can wait for, which would end it at once', () => {
  const line = '--from xdp:eth0 --to memif:/a --flow udp:1 --seconds';
  assert.match(refusalOf(`${line} 2592000`), /up to 2147483/);
  assert.equal(refusalOf(`${line} 2147483`), '');
});
