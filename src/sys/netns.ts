import { fstatSync } from 'node:fs';
import { libc } from '../ffi/index.ts';
import { check, SystemError } from './error.ts';
import { Fd } from './fd.ts';
import { setLink } from './netlink/index.ts';
import { CLONE_NEWNET, O_CLOEXEC } from './uapi/index.ts';

/**
 * An unnamed network namespace, kept alive by the descriptor that this object owns.
 *
 * Nothing of it is visible under /run/netns: the kernel removes it, with its veth pairs, programs and sockets, as soon
 * as the last descriptor and the last thread in it are gone, kill -9 included.
 *
 * Another thread or process of the same user opens {@link NetworkNamespace.path} while this object is open.
 */
export class NetworkNamespace implements Disposable {
  readonly #fd: Fd;

  private constructor(fd: Fd) {
    this.#fd = fd;
  }

  /**
   * Creates a namespace with nothing but its loopback interface, which is up; the calling thread stays in its own.
   *
   * @throws SystemError EPERM without CAP_SYS_ADMIN
   */
  static create(): NetworkNamespace {
    using home = NetworkNamespace.current();
    check(libc.unshare(CLONE_NEWNET), 'Cannot create network namespace', 'unshare(CLONE_NEWNET)');
    try {
      setLink('lo', { up: true });
      return NetworkNamespace.current();
    } finally {
      home.enter();
    }
  }

  /** Opens the namespace that the calling thread is in. */
  static current(): NetworkNamespace {
    return NetworkNamespace.open('/proc/thread-self/ns/net');
  }

  /** Opens the namespace of a thread of any process. @throws SystemError ENOENT when there is no such thread */
  static ofThread(pid: number, tid: number): NetworkNamespace {
    return NetworkNamespace.open(`/proc/${pid}/task/${tid}/ns/net`);
  }

  /** Opens a namespace by path: {@link NetworkNamespace.path} of another thread or process, or a file of /run/netns. */
  static open(path: string): NetworkNamespace {
    const fd = libc.open(path, O_CLOEXEC, 0);
    if (fd < 0) throw new SystemError('Cannot open network namespace', { syscall: 'open', subject: path });
    return new NetworkNamespace(new Fd(fd, `network namespace ${path}`));
  }

  /** The descriptor, for netlink requests that name a namespace; owned by this object. */
  get fd(): number {
    return this.#fd.fd;
  }

  /** Where other threads and processes open this namespace while this object is open. */
  get path(): string {
    return `/proc/${process.pid}/fd/${this.fd}`;
  }

  /** The kernel's number of the namespace: equal for two objects of one namespace. */
  get id(): number {
    return fstatSync(this.fd).ino;
  }

  /**
   * Moves the calling thread, and no other, into the namespace for good; {@link withNetns} comes back.
   *
   * @throws SystemError EPERM without CAP_SYS_ADMIN
   */
  enter(): void {
    check(libc.setns(this.fd, CLONE_NEWNET), 'Cannot enter network namespace', 'setns(CLONE_NEWNET)');
  }

  /** Lets go of the namespace. Idempotent. */
  close(): void {
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Runs `fn` with the calling thread in `namespace` and comes back, also when `fn` throws.
 *
 * `fn` must be synchronous: what it leaves for later would run in the thread's own namespace.
 *
 * @returns what `fn` returns
 * @throws TypeError when `fn` returns a promise
 */
export function withNetns<T>(namespace: NetworkNamespace, fn: () => T): T {
  using home = NetworkNamespace.current();
  namespace.enter();
  try {
    const result = fn();
    if (result instanceof Promise) {
      throw new TypeError(
        'Cannot run an async function in a network namespace: it would leave at its first await',
      );
    }
    return result;
  } finally {
    home.enter();
  }
}
