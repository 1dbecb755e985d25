import assert from 'node:assert/strict';
import { it } from 'node:test';
import { requireVm } from './packages.ts';
import { reportTests } from './results.ts';
import { runInVm, virtioPairs } from './virtualMachine.ts';

/** What runs in the guest. */
const FILES = ['zerocopy', 'portContract', 'orders'].map((name) => `test/vm/guest/${name}.guest.ts`);

it('zero-copy AF_XDP over virtio-net in a virtual machine', { timeout: 300_000 }, async (t) => {
  const manifest = requireVm(t, 'cloud');
  if (manifest === undefined) return;
  const { kernel, tests } = await runInVm({
    kernel: manifest.kernels.cloud!,
    devices: virtioPairs(1),
    files: FILES,
    env: { REQUIRE_PRIVILEGED: '1' },
    timeoutMs: 180_000,
  });
  t.diagnostic(`guest kernel ${kernel}, ${manifest.packages['qemu-system-x86']}`);
  await reportTests(t, tests);
  assert.ok(tests.length >= FILES.length, `every file has a test, got ${tests.length} of ${FILES.length}`);
});
