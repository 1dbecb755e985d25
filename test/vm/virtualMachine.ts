import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { findTool } from '../support/debianTools.ts';
import type { GuestEvent } from './guest/events.ts';
import type { GuestTask } from './initramfs.ts';
import { VM_ROOT } from './packages.ts';
import { QEMU, QEMU_DATA, qemuEnv } from './qemu.ts';
import { GuestResults } from './results.ts';

/** What to boot, and what to run there. */
export interface VmSpec extends GuestTask {
  /** arguments for QEMU that make the network interfaces */
  readonly devices: readonly string[];
  /** gives up after so long, booting included [ms] */
  readonly timeoutMs: number;
}

/** Node alone takes 160 MiB, as a file in memory, and the archive that it comes in as much again while it is unpacked. */
const MEMORY_MIB = 1024;

/**
 * Boots a virtual machine, runs test files in it, and returns their results.
 *
 * The processor is emulated (TCG), so that it works where KVM does not; rates mean nothing there. The machine ends with
 * this process, however that ends, and leaves no file behind.
 *
 * @throws Error when the guest does not come to its end in time, or dies; with the last lines of its console
 */
export async function runInVm(spec: VmSpec): Promise<GuestResults> {
  const initramfs = openInitramfs(spec);
  const setpriv = findTool('setpriv');
  if (setpriv === undefined) throw new Error('Cannot start QEMU: setpriv is missing; run npm run setup:test');
  const child = spawn(setpriv, ['--pdeathsig', 'KILL', QEMU, ...qemuArguments(spec)], {
    env: qemuEnv(),
    stdio: ['ignore', 'pipe', 'pipe', initramfs, 'pipe'],
  });
  closeSync(initramfs);
  const [, stdout, stderr, , console] = child.stdio as Readable[];
  const results = new GuestResults();
  const lines: string[] = [];
  const timer = setTimeout(() => {
    lines.push(`Killed after ${spec.timeoutMs / 1000} s`);
    child.kill('SIGKILL');
  }, spec.timeoutMs);
  const ended = new Promise<void>((resolve, reject) =>
    child.on('close', () => resolve()).on('error', reject),
  );
  createInterface({ input: stdout! }).on('line', (line) => {
    if (line.startsWith('{')) results.add(JSON.parse(line) as GuestEvent);
    else lines.push(line);
  });
  for (const input of [stderr!, console!]) createInterface({ input }).on('line', (line) => lines.push(line));
  try {
    await ended;
  } finally {
    clearTimeout(timer);
  }
  if (results.finished) return results;
  throw new Error(
    `The guest died ${results.place}. Its console's last lines:\n${lines.slice(-60).join('\n')}`,
  );
}

/** Writes the archive to a file without a name, which is gone with the last process that has it open. */
function openInitramfs(spec: VmSpec): number {
  const folder = mkdtempSync(join(tmpdir(), 'barewire-vm-'));
  try {
    const path = join(folder, 'initramfs');
    // A process of its own, since the function of Node that removes types says each time that it may change.
    const script = fileURLToPath(new URL('./buildInitramfs.ts', import.meta.url));
    const args = ['--disable-warning=ExperimentalWarning', script, path, JSON.stringify(spec)];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`Cannot write the guest's root file system: ${stderr}`);
    return openSync(path, 'r');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The first serial line carries results and the second the kernel's words, so that they do not mix. */
function qemuArguments(spec: VmSpec): readonly string[] {
  return [
    ...['-machine', 'q35', '-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2'],
    ...['-m', String(MEMORY_MIB), '-display', 'none', '-no-reboot', '-nodefaults', '-no-user-config'],
    ...QEMU_DATA.flatMap((folder) => ['-L', folder]),
    ...['-kernel', join(VM_ROOT, 'usr/lib/modules', spec.kernel, 'vmlinuz')],
    ...['-initrd', '/proc/self/fd/3', '-append', 'console=ttyS1 quiet oops=panic panic=-1'],
    ...['-serial', 'stdio', '-chardev', 'socket,id=console,fd=4', '-serial', 'chardev:console'],
    ...spec.devices,
  ];
}

/**
 * Makes two interfaces on a wire of their own: eth0 and eth1.
 *
 * NB: virtio-net binds zero-copy only where single queues can be reset (`queue_reset`) and the device goes through the
 * DMA API (`iommu_platform`), neither of which legacy virtio has; with `packed` rings it stalls. Each igb wants a PCIe
 * port of its own.
 */
export function interfacePair(model: 'virtio' | 'igb'): readonly string[] {
  return [0, 1].flatMap((i) => {
    const device = `netdev=wire${i},mac=02:00:00:00:00:0${i + 1},romfile=`;
    const devices =
      model === 'virtio'
        ? ['-device', `virtio-net-pci,${device},queue_reset=on,iommu_platform=on,disable-legacy=on`]
        : ['-device', `pcie-root-port,id=port${i},chassis=${i + 1}`, '-device', `igb,bus=port${i},${device}`];
    return ['-netdev', `hubport,id=wire${i},hubid=0`, ...devices];
  });
}
