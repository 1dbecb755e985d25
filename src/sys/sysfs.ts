import { addressOf, libc } from '../ffi/index.ts';
import { check, SystemError } from './error.ts';
import { Fd } from './fd.ts';
import {
  FSCONFIG_CMD_CREATE,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  O_CLOEXEC,
  O_RDWR,
  SYS_fsconfig,
  SYS_fsmount,
  SYS_fsopen,
} from './uapi/index.ts';

/** No attribute is longer. @source fs/sysfs/file.c: one page */
const TEXT_LEN = 4096;

/**
 * Mounts sysfs as the calling thread's network namespace has it, at no path: whoever has the descriptor reaches it.
 *
 * NB: /sys/class/net shows the interfaces of the namespace in which /sys was mounted, whatever namespace one is in.
 * Nothing is left behind: the mount goes with its descriptor, kill -9 included.
 *
 * @throws SystemError EPERM without CAP_SYS_ADMIN
 * @source fsopen(2), fsmount(2)
 * @since Linux 5.2
 */
export function mountSysfs(): Fd {
  const type = Buffer.from('sysfs\0');
  const opened = libc.syscall(SYS_fsopen, addressOf(type), FSOPEN_CLOEXEC, 0, 0, 0, 0);
  using context = new Fd(check(opened, 'Cannot mount sysfs', 'fsopen(sysfs)'), 'sysfs to mount');
  const created = libc.syscall(SYS_fsconfig, context.fd, FSCONFIG_CMD_CREATE, 0, 0, 0, 0);
  check(created, 'Cannot mount sysfs', 'fsconfig(sysfs)');
  const flags = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  const mount = libc.syscall(SYS_fsmount, context.fd, FSMOUNT_CLOEXEC, flags, 0, 0, 0);
  return new Fd(check(mount, 'Cannot mount sysfs', 'fsmount(sysfs)'), 'sysfs mount');
}

/** A file of sysfs, held open: it stays that of its interface when that is renamed or the thread moves on. */
export class SysfsAttribute implements Disposable {
  /** what it said when it was opened, without the final newline */
  readonly text: string;
  readonly #fd: Fd;
  readonly #path: string;

  /**
   * @param sysfs - from {@link mountSysfs}, no longer needed afterwards
   * @param path - `class/net/eth0/gro_flush_timeout`
   * @throws SystemError ENOENT when there is no such file
   */
  constructor(sysfs: Fd, path: string) {
    const failure = { syscall: 'open(sysfs)', subject: path };
    const number = libc.open(`/proc/thread-self/fd/${sysfs.fd}/${path}`, O_RDWR | O_CLOEXEC, 0);
    if (number < 0) throw new SystemError('Cannot open', failure);
    using cleanup = new DisposableStack();
    this.#fd = cleanup.use(new Fd(number, `sysfs ${path}`));
    this.#path = path;
    const bytes = new Uint8Array(TEXT_LEN);
    const len = check(libc.read(number, bytes, TEXT_LEN), 'Cannot read', 'read(sysfs)', path);
    this.text = new TextDecoder().decode(bytes.subarray(0, len)).trimEnd();
    cleanup.move();
  }

  /** Writes a new value. @throws SystemError as the attribute's owner refuses, ENODEV once the interface is gone */
  write(text: string): void {
    const bytes = new TextEncoder().encode(text);
    // A write to sysfs is taken whole, wherever the file's position is.
    check(
      libc.write(this.#fd.fd, bytes, bytes.length),
      `Cannot write ${text} to`,
      'write(sysfs)',
      this.#path,
    );
  }

  /** Closes the file. Idempotent. */
  close(): void {
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
