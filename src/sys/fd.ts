import { libc } from '../ffi/index.ts';

const openFds = new Set<Fd>();
const traced = process.env.BAREWIRE_DEBUG?.split(',').includes('fd') ?? false;

/**
 * An open file descriptor with exactly one owner, which closes it.
 *
 * Descriptors belong to the process: a number may be used by other threads while its owner lives.
 */
export class Fd implements Disposable {
  /** what it is, for leak reports: `bpf map xsks` */
  readonly what: string;
  /** where it was opened; kept when BAREWIRE_DEBUG contains `fd` */
  readonly openedAt: string | undefined;
  #fd: number;

  /** Takes ownership of `fd`. */
  constructor(fd: number, what: string) {
    this.#fd = fd;
    this.what = what;
    this.openedAt = traced ? new Error(what).stack : undefined;
    openFds.add(this);
  }

  /** The descriptor's number; throws once it is closed, so that a number reused by the kernel is never hit. */
  get fd(): number {
    if (this.#fd < 0) throw new Error(`Cannot use ${this.what}: it is closed`);
    return this.#fd;
  }

  /** Tells whether {@link Fd.close} was called. */
  get closed(): boolean {
    return this.#fd < 0;
  }

  /** Closes the descriptor. Idempotent. */
  close(): void {
    if (this.#fd < 0) return;
    libc.close(this.#fd);
    this.#fd = -1;
    openFds.delete(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Returns the descriptors of this isolate that are still open: tests demand none at their end. */
export function leakedFds(): readonly Fd[] {
  return [...openFds];
}
