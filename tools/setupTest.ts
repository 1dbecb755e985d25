import { spawnSync } from 'node:child_process';
import { DEBIAN_TOOLS, findTool } from '../test/support/debianTools.ts';
import { setUpVm } from '../test/vm/download.ts';
import { type KernelFlavour, VM_HOME } from '../test/vm/packages.ts';

// `npm run setup:test`: installs the Debian programs that only tests use, and unpacks a virtual machine without
// installing it. Does nothing when they are all there. `npm run setup:test -- --all` adds the guest kernel that only
// `npm run test:vm` needs.

const missing = Object.entries(DEBIAN_TOOLS).filter(([name]) => findTool(name) === undefined);
for (const [name, { package: from, why }] of Object.entries(DEBIAN_TOOLS)) {
  const mark = missing.some(([absent]) => absent === name) ? '+' : '✓';
  console.log(`${mark} ${name.padEnd(13)} ${from.padEnd(11)} ${why}`);
}
if (missing.length > 0) process.exitCode = install([...new Set(missing.map(([, tool]) => tool.package))]);
process.exitCode ||= virtualMachine(process.argv.includes('--all') ? ['cloud', 'generic'] : ['cloud']);

/** Downloads and unpacks what the tests of test/vm boot. @returns an exit code */
function virtualMachine(flavours: readonly KernelFlavour[]): number {
  const why = 'boots a kernel whose virtio-net is zero-copy';
  if (process.arch !== 'x64') {
    console.log(`- ${'QEMU'.padEnd(25)} ${why}; not on ${process.arch}, its tests skip`);
    return 0;
  }
  try {
    const { packages, kernels } = setUpVm(flavours, (line) => console.log(`+ QEMU: ${line}`));
    console.log(`✓ ${'QEMU'.padEnd(13)} ${'unpacked'.padEnd(11)} ${why}`);
    console.log(`  ${packages['qemu-system-x86']}, ${Object.values(kernels).join(', ')}, in ${VM_HOME}`);
    return 0;
  } catch (error) {
    console.error(
      `Cannot set up the virtual machine, without which its tests skip: ${(error as Error).message}`,
    );
    return 1;
  }
}

/** Installs Debian packages with apt-get, or says which command does. @returns an exit code */
function install(packages: readonly string[]): number {
  const command = `apt-get install -y --no-install-recommends ${packages.join(' ')}`;
  if (findTool('apt-get') === undefined) {
    console.error(`Cannot install ${packages.join(', ')}: no apt-get here. Install them your system's way`);
    return 1;
  }
  if (process.geteuid?.() !== 0) {
    console.error(
      `Cannot install ${packages.join(', ')}: not root. Run: sudo apt-get update && sudo ${command}`,
    );
    return 1;
  }
  return run('apt-get update') || run(command);
}

function run(command: string): number {
  console.log(`> ${command}`);
  const [program, ...args] = command.split(' ');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync(program!, args, { env, stdio: 'inherit' }).status ?? 1;
}
