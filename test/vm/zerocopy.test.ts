import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type KernelFlavour, requireVm } from './packages.ts';
import { reportTests } from './results.ts';
import { interfacePair, runInVm } from './virtualMachine.ts';

/** What runs in the guest, with its interfaces eth0 and eth1 on one wire. */
const FILES = ['zerocopy', 'portContract', 'orders'].map((name) => `test/vm/guest/${name}.guest.ts`);

/** An interface whose driver has zero-copy, and the guest kernel that has the driver. */
interface Machine {
  readonly model: 'virtio' | 'igb';
  readonly kernel: KernelFlavour;
  readonly skip?: string | false;
}

const MACHINES: readonly Machine[] = [
  { model: 'virtio', kernel: 'cloud' },
  {
    model: 'igb',
    kernel: 'generic',
    skip: process.env.BAREWIRE_VM === 'all' ? false : 'takes a second guest kernel: npm run test:vm',
  },
];

describe('zero-copy AF_XDP in a virtual machine', () => {
  for (const { model, kernel, skip = false } of MACHINES) {
    it(`over ${model}`, { skip }, async (t) => {
      const manifest = requireVm(t, kernel);
      if (manifest === undefined) return;
      const results = await runInVm({
        kernel: manifest.kernels[kernel]!,
        devices: interfacePair(model),
        files: FILES,
        env: { REQUIRE_PRIVILEGED: '1', BAREWIRE_VM_MODEL: model },
        timeoutMs: 240_000,
      });
      t.diagnostic(`Linux ${results.kernel} in QEMU ${manifest.packages['qemu-system-x86']}`);
      await reportTests(t, results.tests);
      assert.ok(results.tests.length >= FILES.length, `tests of every file, got ${results.tests.length}`);
    });
  }
});
