import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { VM_ROOT } from './packages.ts';

const LIBRARIES = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu'];

/** The unpacked QEMU. */
export const QEMU: string = join(VM_ROOT, 'usr/bin/qemu-system-x86_64');

/** Where QEMU looks for firmware, before what its own machine would have. */
export const QEMU_DATA: readonly string[] = ['usr/share/qemu', 'usr/share/seabios'].map((folder) =>
  join(VM_ROOT, folder),
);

/** The environment in which an unpacked QEMU finds its libraries and modules. */
export function qemuEnv(): NodeJS.ProcessEnv {
  const own = LIBRARIES.map((folder) => join(VM_ROOT, folder));
  return {
    PATH: process.env.PATH,
    LD_LIBRARY_PATH: own.join(':'),
    QEMU_MODULE_DIR: join(VM_ROOT, LIBRARIES[0]!, 'qemu'),
  };
}

/** Starts QEMU to ask its version. @throws Error when it does not start, with the library that is missing */
export function qemuVersion(): string {
  const { status, stdout, stderr } = spawnSync(QEMU, ['--version'], { env: qemuEnv(), encoding: 'utf8' });
  if (status !== 0) throw new Error(`QEMU does not start: ${stderr?.trim() || `exit ${status}`}`);
  return stdout.split('\n')[0]!;
}
