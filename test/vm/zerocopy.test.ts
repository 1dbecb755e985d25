import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type KernelFlavour, requireVm } from './packages.ts';
import { reportTests } from './results.ts';
import { interfacePair, runInVm } from './virtualMachine.ts';

/** An interface whose driver has zero-copy, the guest kernel that has the driver, and what runs there. */
interface Machine {
  readonly model: 'virtio' | 'igb';
  readonly kernel: KernelFlavour;
  /** of test/vm/guest; the interfaces eth0 and eth1 are on one wire */
  readonly files: readonly string[];
  readonly skip?: string | false;
}

const MACHINES: readonly Machine[] = [
  { model: 'virtio', kernel: 'cloud', files: ['zerocopy', 'portContract', 'xdpCases', 'orders'] },
  {
    model: 'igb',
    kernel: 'generic',
    // Not the contract: opening a pair takes 10 s, until the NICs that the driver resets have a carrier again.
    files: ['zerocopy', 'orders'],
    skip: process.env.BAREWIRE_VM === 'all' ? false : 'takes a second guest kernel: npm run test:vm',
  },
];

describe('zero-copy AF_XDP in a virtual machine', () => {
  for (const { model, kernel, files, skip = false } of MACHINES) {
    it(`over ${model}`, { skip }, async (t) => {
      const manifest = requireVm(t, kernel);
      if (manifest === undefined) return;
      const results = await runInVm({
        kernel: manifest.kernels[kernel]!,
        devices: interfacePair(model),
        files: files.map((name) => `test/vm/guest/${name}.guest.ts`),
        env: { REQUIRE_PRIVILEGED: '1', BAREWIRE_VM_MODEL: model },
        timeoutMs: 400_000,
      });
      t.diagnostic(`Linux ${results.kernel} in QEMU ${manifest.packages['qemu-system-x86']}`);
      await reportTests(t, results.tests);
      assert.ok(results.tests.length >= files.length, `tests of every file, got ${results.tests.length}`);
    });
  }
});
