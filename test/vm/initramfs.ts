import { spawnSync } from 'node:child_process';
import { globSync, readFileSync, statSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CpioFile, writeCpio } from './cpio.ts';
import { readModules } from './modules.ts';
import { VM_ROOT } from './packages.ts';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

/** Where the project lies in the guest. */
const GUEST_HOME = 'barewire';

/** What the guest needs of the project: the sources as they are, and the packages that they and the tests import. */
const PROJECT_FILES: readonly string[] = [
  'package.json',
  'src/**/*.ts',
  'test/**/*.ts',
  'node_modules/{koffi,commander,fast-check,pure-rand}/{package.json,*.js,*.cjs,{lib,src}/**/*.{js,cjs,json}}',
  'node_modules/@koromix/koffi-linux-x64/{package.json,*.js,linux_x64/*}',
];

/** `veth` for cases that compare with it. What the kernel has built in is passed over. */
const MODULES = ['virtio_pci', 'virtio_net', 'igb', 'veth'];

/**
 * Takes `.ts` files as they are: {@link readSource} has removed the types already, line by line and column by column.
 *
 * measured: 3 s instead of 10 to start a lane, whose thread would have to compile Node's own remover first.
 */
const PLAIN_LOADER = `
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
registerHooks({
  load: (url, context, next) =>
    url.endsWith('.ts')
      ? { format: 'module', source: readFileSync(fileURLToPath(url)), shortCircuit: true }
      : next(url, context),
});
`;

const FOLDER = 0o040755;
const PROGRAM = 0o100755;
const LINK = 0o120777;

/** What the guest's Node is to run. */
export interface GuestTask {
  /** the guest kernel, as `uname -r` prints it */
  readonly kernel: string;
  /** test files, from the project's root */
  readonly files: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Writes the guest's root file system: busybox, Node, the project, kernel modules, and an init that runs the task.
 *
 * @param path - of the archive to write
 */
export function writeInitramfs(path: string, task: GuestTask): void {
  const modules = readModules(task.kernel, MODULES);
  const files = new Map<string, CpioFile>();
  const add = (name: string, data: Uint8Array, mode = PROGRAM): void => {
    for (let folder = dirname(name); folder !== '.'; folder = dirname(folder)) {
      if (!files.has(folder)) files.set(folder, { path: folder, mode: FOLDER, data: new Uint8Array(0) });
    }
    files.set(name, { path: name, mode, data });
  };
  for (const folder of ['dev', 'proc', 'sys', 'tmp', 'run', 'root']) {
    files.set(folder, { path: folder, mode: FOLDER, data: new Uint8Array(0) });
  }
  add('bin/busybox', readFileSync(join(VM_ROOT, 'bin/busybox')));
  add('bin/sh', Buffer.from('busybox'), LINK);
  add('bin/node', readFileSync(process.execPath));
  for (const library of sharedLibraries(process.execPath)) add(library.slice(1), readFileSync(library));
  for (const module of modules) add(`modules/${module.name}.ko`, module.data);
  for (const file of globSync([...PROJECT_FILES], { cwd: PROJECT })) {
    const source = join(PROJECT, file);
    if (statSync(source).isFile()) add(`${GUEST_HOME}/${file}`, readSource(source));
  }
  add('plain.mjs', Buffer.from(PLAIN_LOADER));
  add('task.json', Buffer.from(JSON.stringify(task)));
  add('init', Buffer.from(init(modules.map(({ name }) => name))));
  // A folder comes before what it holds.
  writeCpio(
    path,
    [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1)),
  );
}

function readSource(path: string): Uint8Array {
  const source = readFileSync(path);
  return path.endsWith('.ts') ? Buffer.from(stripTypeScriptTypes(source.toString())) : source;
}

/** The first process: mounts, loads, runs the task with its words on the first serial line, and powers off. */
function init(modules: readonly string[]): string {
  return `#!/bin/busybox sh
export PATH=/bin HOME=/root NO_COLOR=1
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t bpf bpf /sys/fs/bpf
ulimit -l unlimited
${modules.map((name) => `insmod /modules/${name}.ko`).join('\n')}
ip link set lo up
cd /${GUEST_HOME}
stty -F /dev/ttyS0 raw -echo
node --no-warnings --import=/plain.mjs test/vm/guest/main.ts < /dev/null > /dev/ttyS0
poweroff -f
`;
}

/** The libraries that a program is linked with, the loader among them, by their paths here. */
function sharedLibraries(program: string): readonly string[] {
  const { status, stdout, stderr } = spawnSync('ldd', [program], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`Cannot list the libraries of ${program}: ${stderr}`);
  return [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path!);
}
