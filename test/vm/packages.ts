import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { miss } from '../support/requirements.ts';

/** A guest kernel to boot, by the Debian meta package that names its newest version. */
export const KERNELS = {
  cloud: 'linux-image-cloud-amd64',
  generic: 'linux-image-amd64',
} as const;

/** `cloud` is small and knows virtio alone; `generic` has the drivers of real NICs. */
export type KernelFlavour = keyof typeof KERNELS;

/** What `npm run setup:test` noted of what it unpacked. */
export interface VmManifest {
  /** package name → version */
  readonly packages: Readonly<Record<string, string>>;
  /** flavour → kernel release, as `uname -r` prints it */
  readonly kernels: Readonly<Partial<Record<KernelFlavour, string>>>;
}

/** The folder that keeps everything: outside the checkout, since it outlives one. */
export const VM_HOME: string = join(
  process.env.XDG_CACHE_HOME || join(homedir(), '.cache'),
  'barewire',
  'vm',
);

/** Where the packages are unpacked, as if it were `/`. */
export const VM_ROOT: string = join(VM_HOME, 'root');

/** Written last, so that a folder with it is whole. */
export const VM_MANIFEST: string = join(VM_HOME, 'manifest.json');

/** Reads what is there. @returns undefined before the first `npm run setup:test` */
export function readVmManifest(): VmManifest | undefined {
  if (!existsSync(VM_MANIFEST)) return undefined;
  return JSON.parse(readFileSync(VM_MANIFEST, 'utf8')) as VmManifest;
}

/** Asks for QEMU and a guest kernel. @returns what is there, or undefined, after a skip */
export function requireVm(t: TestContext, flavour: KernelFlavour): VmManifest | undefined {
  if (process.arch !== 'x64') {
    miss(t, `needs an x86-64 machine: its Node runs in the guest, and this is ${process.arch}`);
    return undefined;
  }
  const manifest = readVmManifest();
  if (manifest?.kernels[flavour] !== undefined) return manifest;
  const option = flavour === 'cloud' ? '' : ' -- --all';
  miss(t, `needs QEMU and a guest kernel (${KERNELS[flavour]}): npm run setup:test${option}`);
  return undefined;
}
