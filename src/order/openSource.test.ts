import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PORT_SCHEMES } from '../port/index.ts';
import { openSource } from './openSource.ts';

const handler = { onPayload: (): void => {}, onBurstEnd: (): void => {} };

test('openSource() names every scheme, udp: included, when it knows none of that name', () => {
  const known = ['udp', ...PORT_SCHEMES].map((scheme) => `${scheme}:`).join(', ');
  assert.throws(() => openSource('carrier:pigeon', handler, { udpPort: 9000 }), {
    name: 'TypeError',
    message: `Cannot open carrier:pigeon: no source "carrier:"; there are ${known}`,
  });
});

test('openSource() hands each scheme that it names to what opens it', () => {
  using udp = openSource('udp:127.0.0.1', handler, { udpPort: 0 });
  assert.equal(udp.report.via, 'udp');
  using loop = openSource('loop:openSource', handler, { udpPort: 9000 });
  assert.equal(loop.report.via, 'loop');
  assert.throws(() => openSource('xdp:', handler, { udpPort: 9000 }), /name an interface/);
});
