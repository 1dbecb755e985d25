import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { SystemError } from '../sys/index.ts';
import { BPF_OBJ_PIN, bpf_attr_obj } from '../sys/uapi/index.ts';
import { BpfStruct, bpf } from './bpfCall.ts';

/** @source linux/magic.h, BPF_FS_MAGIC */
const BPF_FS = 0xcafe4a11;

/**
 * Gives a BPF object a name in a BPF file system, which keeps it alive until the file is removed.
 *
 * @param fd - of a map, program or link
 * @param what - for the error: `map xsks`
 * @throws SystemError EEXIST when the file is there, ENOENT without its folder, EPERM when that is in no BPF file system
 */
export function pinObject(fd: number, path: string, what: string): void {
  const attr = new BpfStruct(bpf_attr_obj.sizeof);
  attr.point(bpf_attr_obj.pathname, new TextEncoder().encode(`${path}\0`));
  attr.set(bpf_attr_obj.bpf_fd, fd);
  const result = bpf(BPF_OBJ_PIN, attr);
  if (result >= 0) return;
  throw new SystemError(`Cannot pin BPF ${what} to`, {
    syscall: 'bpf(BPF_OBJ_PIN)',
    errno: -result,
    subject: path,
    ...evidence(dirname(path)),
  });
}

/** The kernel says EPERM, as to somebody without the right to write there. */
function evidence(folder: string): { hint?: string } {
  try {
    if (statfsSync(folder).type === BPF_FS) return {};
  } catch {
    return {};
  }
  return { hint: `${folder} is in no BPF file system: \`mount -t bpf bpf /sys/fs/bpf\`, and pin there` };
}
