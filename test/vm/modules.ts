import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { VM_ROOT } from './packages.ts';

/** A kernel module, unpacked. */
export interface KernelModule {
  readonly name: string;
  readonly data: Uint8Array;
}

/**
 * Reads modules of a guest kernel and what they depend on, in an order in which they can be loaded.
 *
 * What the kernel has built in is no module, and left out. The modules say themselves what they need: the package's
 * modules.dep is only made when it is installed.
 *
 * @param release - as `uname -r` prints it
 * @param names - with underscores, as `lsmod` prints them
 */
export function readModules(release: string, names: readonly string[]): readonly KernelModule[] {
  const home = join(VM_ROOT, 'usr/lib/modules', release);
  const files = new Map(
    globSync('kernel/**/*.ko*', { cwd: home }).map((path) => [
      basename(path)
        .replace(/\.ko.*$/, '')
        .replaceAll('-', '_'),
      join(home, path),
    ]),
  );
  const loaded = new Map<string, KernelModule>();
  const add = (name: string): void => {
    const file = files.get(name);
    if (loaded.has(name) || file === undefined) return;
    const data = readModule(file);
    for (const needed of dependencies(data)) add(needed);
    loaded.set(name, { name, data });
  };
  for (const name of names) add(name);
  return [...loaded.values()];
}

/** Unpacks a module with the guest's own busybox, which is always there. */
function readModule(file: string): Buffer {
  const tool = file.endsWith('.xz') ? 'xzcat' : file.endsWith('.gz') ? 'zcat' : 'cat';
  const { status, stdout, stderr } = spawnSync(join(VM_ROOT, 'bin/busybox'), [tool, file], {
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`Cannot unpack ${file}: ${stderr}`);
  return stdout;
}

/** The names behind `depends=` among the module's `key=value` strings. */
function dependencies(data: Buffer): readonly string[] {
  const key = '\0depends=';
  const at = data.indexOf(key);
  if (at < 0) return [];
  const list = data.toString('latin1', at + key.length, data.indexOf(0, at + key.length));
  return list === '' ? [] : list.replaceAll('-', '_').split(',');
}
