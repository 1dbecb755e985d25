import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway } from './startGateway.ts';

const flows = [{ port: 9000 }];

test('startGateway() refuses a secret in any spec, and does not repeat it', async () => {
  const open = 'memif:@barewire-no-gateway';
  const secret = `${open}?secret=sesame`;
  for (const [from, to] of [
    [secret, open],
    [open, secret],
    // A key may be percent-encoded.
    [`${open}?%73ecret=sesame`, open],
  ] as const) {
    await assert.rejects(startGateway({ from, destinations: [{ to, flows }] }), (error: Error) => {
      assert.match(error.message, /^Cannot open memif:@barewire-no-gateway: a secret comes from a file/);
      return true;
    });
  }
});

test('startGateway() refuses no destination, one without a flow, and one that stands twice', async () => {
  const start = (...destinations: { to: string; flows: typeof flows }[]): Promise<unknown> =>
    startGateway({ from: 'loop:barewire-no-gateway', destinations });
  await assert.rejects(start(), /name a destination/);
  await assert.rejects(start({ to: 'memif:@a', flows: [] }), /destination 1 has no flow/);
  const twice = ['memif:@a?id=0', 'memif:@a?mode=0660'].map((to) => ({ to, flows }));
  await assert.rejects(start(...twice), /destination memif:@a stands twice/);
});
