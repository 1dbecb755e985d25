import { chmodSync, lstatSync, type Stats, unlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { libc } from '../ffi/index.ts';
import { check, SystemError } from './error.ts';
import { Fd } from './fd.ts';
import { SOCK_CLOEXEC, SOCK_NONBLOCK } from './uapi/index.ts';
import { encodeUnixAddress, isAbstract } from './unixAddress.ts';
import { openUnix, UnixSocket } from './unixSocket.ts';

const { EADDRINUSE, ECONNREFUSED, ENOENT } = constants.errno;

/** Connections that may wait to be accepted. */
const BACKLOG = 16;

/** Where to listen. */
export interface UnixListenerSpec {
  /** of the socket's file, or `@name` in the abstract namespace */
  readonly path: string;
  /** permissions of the socket's file, such as 0o660; who may write may connect. As the umask leaves it when absent */
  readonly mode?: number;
}

/**
 * A listening AF_UNIX socket of messages. Never blocks.
 *
 * A file that a killed process left behind is replaced; the socket of a live one, or anything that is no socket, is an
 * error. Closing removes the file, if it is still this one.
 */
export class UnixListener implements Disposable {
  readonly path: string;
  readonly #fd: Fd;
  readonly #file: Stats | undefined;

  /** @throws SystemError EADDRINUSE when somebody listens there; RangeError when path or mode is none */
  constructor({ path, mode }: UnixListenerSpec) {
    const address = encodeUnixAddress(path);
    if (mode !== undefined && (!Number.isInteger(mode) || mode < 0 || mode > 0o777 || isAbstract(path))) {
      throw new RangeError(
        `Cannot give ${path} a mode: want 0 to 0o777, and a file to have it, got 0o${mode.toString(8)}`,
      );
    }
    this.path = path;
    using cleanup = new DisposableStack();
    this.#fd = cleanup.use(openUnix(path));
    // NB: the file gets the mode of the unbound socket, less the umask: it is at no time open to more than was asked.
    // What the umask took is put back below; the umask itself is the process's, and no thread may touch it.
    if (mode !== undefined) check(libc.fchmod(this.#fd.fd, mode), 'Cannot set mode of', 'fchmod', path);
    bindUnix(this.#fd.fd, address, path);
    this.#file = isAbstract(path) ? undefined : lstatSync(path);
    cleanup.defer(() => this.#unlink());
    if (mode !== undefined && this.#file && (this.#file.mode & 0o777) !== mode) chmodSync(path, mode);
    check(libc.listen(this.#fd.fd, BACKLOG), 'Cannot listen on', 'listen', path);
    cleanup.move();
  }

  /** Readable when somebody wants to connect. */
  get fd(): number {
    return this.#fd.fd;
  }

  /** Takes a connection that waits, or undefined when there is none. */
  accept(): UnixSocket | undefined {
    const number = libc.accept4(this.#fd.fd, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return number < 0 ? undefined : new UnixSocket(new Fd(number, `AF_UNIX connection on ${this.path}`));
  }

  /** Stops listening and removes the file, if it is still this one. Connections live on. Idempotent. */
  close(): void {
    if (this.#fd.closed) return;
    this.#unlink();
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #unlink(): void {
    const now = this.#file && lstatSync(this.path, { throwIfNoEntry: false });
    if (now && sameFile(now, this.#file)) unlinkSync(this.path);
  }
}

function bindUnix(fd: number, address: Uint8Array, path: string): void {
  if (libc.bind(fd, address, address.length) === 0) return;
  const failure = { syscall: 'bind(AF_UNIX)', errno: libc.errno(), subject: path };
  if (failure.errno !== EADDRINUSE || isAbstract(path) || !removeStale(path)) {
    throw new SystemError('Cannot listen on', failure);
  }
  check(libc.bind(fd, address, address.length), 'Cannot listen on', 'bind(AF_UNIX)', path);
}

/** Removes a socket's file that nobody listens on. Returns whether the path is free now. */
function removeStale(path: string): boolean {
  const file = lstatSync(path, { throwIfNoEntry: false });
  if (!file) return true;
  if (!file.isSocket()) return false;
  const answer = UnixSocket.connect(path);
  if (typeof answer !== 'number') answer.close();
  if (answer === -ENOENT) return true;
  if (answer !== -ECONNREFUSED) return false;
  // It may have been replaced by a live one meanwhile.
  const now = lstatSync(path, { throwIfNoEntry: false });
  if (now && !sameFile(now, file)) return false;
  if (now) unlinkSync(path);
  return true;
}

function sameFile(a: Stats, b: Stats | undefined): boolean {
  return a.ino === b?.ino && a.dev === b.dev;
}
