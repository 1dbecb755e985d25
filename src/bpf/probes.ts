import { readFileSync } from 'node:fs';

/**
 * Tells whether the kernel compiles BPF programs: `on`, `off` (they are interpreted, and many times slower), or
 * `unknown` when only root may read it or the network namespace does not show it.
 *
 * @source Documentation/admin-guide/sysctl/net.rst, bpf_jit_enable
 */
export function bpfJit(): 'on' | 'off' | 'unknown' {
  const setting = readSetting('/proc/sys/net/core/bpf_jit_enable');
  if (setting === undefined) return 'unknown';
  return setting === '0' ? 'off' : 'on';
}

/**
 * Tells whether processes without CAP_BPF may load the few kinds of programs open to them (never XDP).
 *
 * @source Documentation/admin-guide/sysctl/kernel.rst, unprivileged_bpf_disabled
 */
export function unprivilegedBpf(): 'allowed' | 'disabled' | 'unknown' {
  const setting = readSetting('/proc/sys/kernel/unprivileged_bpf_disabled');
  if (setting === undefined) return 'unknown';
  return setting === '0' ? 'allowed' : 'disabled';
}

function readSetting(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
