import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { requireRoot } from './support/requirements.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What each example must print, and whether it needs root. */
const EXAMPLES: Readonly<Record<string, { readonly root?: true; readonly prints: readonly RegExp[] }>> = {
  'laneOnACore.ts': {
    prints: [/^on core \d+, normal scheduling$/m, /^\d{3,} ticks, the worst [\d.]+ us late$/m],
  },
  'loopEcho.ts': {
    prints: [/^answered 20 frames$/m, /^got 20 answers$/m, /rxFrames: 20,/],
  },
  'memifEcho.ts': {
    prints: [
      /^client, connecting to the socket: ENOENT$/m,
      /^server: answered 1000 frames$/m,
      /^client: got 1000 answers, sum 499500$/m,
    ],
  },
  'orderBook.ts': {
    prints: [
      /^order 5: 2 trades\n {2}200 at 101 with 2\n {2}20\.5 at 101 with 3$/m,
      /^order 5: zeroQuantity$/m,
      /^cancel 4: unknownId$/m,
      /^ask 101: 29\.5 in 1\nask 101\.25: 300 in 1$/m,
    ],
  },
  'parseFrame.ts': {
    prints: [
      /^77 bytes, VLAN 42, IPv6$/m,
      /^hello, wire$/m,
      /: udpBadChecksum$/m,
      /: ipv6Truncated, which is true$/m,
    ],
  },
  'receiveOrders.ts': {
    prints: [/received: 1001,/, /rejected: \{ tooShort: 1 \},/, /book: 1000,/],
  },
  'xdpEvents.ts': {
    root: true,
    prints: [/^woken by uv_poll$/m, /^20 datagrams, sum 190$/m, /^\d{1,3} ms of CPU in a second$/m],
  },
  'xdpForward.ts': {
    root: true,
    prints: [
      /^xdp:toA: .+ mode, copy, 1 of 1 queues$/m,
      /^xdp:toB: .+ mode, copy, 1 of 1 queues$/m,
      /^200 of 200 datagrams went to host B and came back$/m,
    ],
  },
  'xdpGroup.ts': {
    root: true,
    prints: [
      /^program: native mode$/m,
      /^queue 0: \d+ frames, queue 1: \d+$/m,
      /^640 of 640; no socket: 0$/m,
    ],
  },
  'xdpReceive.ts': {
    root: true,
    prints: [
      /^port: .+ mode, copy, 1 of 1 queues$/m,
      /^port 9000: 100 datagrams over AF_XDP, sum 4950$/m,
      /^port 9001: 100 datagrams over the kernel, as ever$/m,
    ],
  },
};

const files = globSync('*.ts', { cwd: `${root}/examples` }).sort();

test('every example is run by this file', () => {
  assert.deepEqual(files, Object.keys(EXAMPLES));
});

test('no example is longer than 80 lines', () => {
  for (const file of files) {
    const lines = readFileSync(`${root}/examples/${file}`, 'utf8').trimEnd().split('\n').length;
    assert.ok(lines <= 80, `${file} has ${lines}`);
  }
});

for (const [file, { root: needsRoot, prints }] of Object.entries(EXAMPLES)) {
  test(`examples/${file} does what it says`, (t) => {
    if (needsRoot && !requireRoot(t)) return;
    const output = execFileSync(process.execPath, [`examples/${file}`], {
      cwd: root,
      encoding: 'utf8',
      timeout: 30_000,
    });
    for (const line of prints) assert.match(output, line);
  });
}
