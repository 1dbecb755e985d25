import { detachView, libc, viewOf } from '../ffi/index.ts';
import { SystemError } from './error.ts';
import { Fd } from './fd.ts';
import {
  MADV_DONTFORK,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_HUGE_2MB,
  MAP_HUGETLB,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MFD_CLOEXEC,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from './uapi/index.ts';

const HUGE_PAGE = 2 << 20;
const SMALL_PAGE = 4096;
const FOUR_GIB = 2 ** 32;

/** Longest region: typed-array reads at offsets from 2^31 on are slow for ever at their site. [bytes] */
export const MAX_REGION_LEN: number = 2 ** 31 - 1;

/** What to map. */
export interface MappedRegionSpec {
  /** [bytes], rounded up to whole pages */
  len: number;
  /** `try` falls back to small pages and reports it, `strict` throws instead; default `off` */
  hugePages?: 'off' | 'try' | 'strict';
  /** keep the pages in memory; a refusal is reported in `lockedReason` unless `strictLock` */
  lock?: boolean;
  /** throw when the pages cannot be locked */
  strictLock?: boolean;
  /** for messages: `umem of eth0` */
  what?: string;
}

/**
 * A piece of anonymous memory outside the V8 heap that the kernel or other threads may share.
 *
 * Populated at once, so that hot code meets no page fault; crosses no multiple of 4 GiB. Says what it got: page size and lock, each with the reason
 * when it is weaker than asked. {@link MappedRegion.close} detaches this isolate's view, so later use throws.
 *
 * NB: other isolates that view the same memory must have let go before the owner closes it.
 */
export class MappedRegion implements Disposable {
  readonly ptr: number;
  readonly len: number;
  readonly buffer: ArrayBuffer;
  /** [bytes] 4096 or 2097152 */
  readonly pageSize: number;
  /** why pages are smaller than asked; undefined when as asked */
  readonly pageReason: string | undefined;
  readonly locked: boolean;
  /** why the pages are not locked although asked; undefined when as asked */
  readonly lockedReason: string | undefined;
  #open = true;

  /** Maps the memory. @throws SystemError when no memory is to be had, or what is strict cannot be had */
  constructor(spec: MappedRegionSpec) {
    const what = spec.what ?? 'memory';
    if (!Number.isInteger(spec.len) || spec.len < 1 || spec.len > MAX_REGION_LEN) {
      throw new RangeError(`Cannot map ${what}: len must be 1 to ${MAX_REGION_LEN} bytes, got ${spec.len}`);
    }
    const mapped = mapPages(spec, what);
    this.ptr = mapped.ptr;
    this.len = mapped.len;
    this.pageSize = mapped.pageSize;
    this.pageReason = mapped.reason;
    const lockError = spec.lock && libc.mlock(this.ptr, this.len) < 0 ? lockFailure(what) : undefined;
    if (lockError && spec.strictLock) {
      libc.munmap(this.ptr, this.len);
      throw lockError;
    }
    this.locked = spec.lock === true && lockError === undefined;
    this.lockedReason = lockError?.message;
    this.buffer = viewOf(this.ptr, this.len);
  }

  /** Whether {@link MappedRegion.close} was called. */
  get closed(): boolean {
    return !this.#open;
  }

  /** Unmaps the memory and detaches the view. Idempotent. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    detachView(this.buffer);
    libc.munmap(this.ptr, this.len);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A mapping of an fd's memory: an AF_XDP or io_uring ring, or a memfd. The fd may be closed afterwards. */
export class MappedFile implements Disposable {
  readonly ptr: number;
  readonly len: number;
  readonly buffer: ArrayBuffer;
  readonly #offset: number;
  readonly #what: string;
  #open = true;

  /**
   * @param offset - where in the file; kernel rings name themselves by it [bytes]
   * @param populate - map all pages now, so that hot code meets no page fault; otherwise each on its first touch
   */
  constructor(fd: number, len: number, offset: number, what: string, populate = true) {
    const flags = MAP_SHARED | (populate ? MAP_POPULATE : 0);
    const ptr = libc.mmap(0, len, PROT_READ | PROT_WRITE, flags, fd, offset);
    if (ptr === -1) throw new SystemError('Cannot map', { syscall: 'mmap', subject: what });
    this.ptr = ptr;
    this.len = len;
    this.buffer = viewOf(ptr, len);
    this.#offset = offset;
    this.#what = what;
  }

  /**
   * Has another fd of the same memory hold the mapping, at the same address: all views stay as they are.
   *
   * NB: a mapping keeps the file alive by whose fd it was made, also when that fd is closed.
   */
  rehome(fd: number): void {
    const ptr = libc.mmap(
      this.ptr,
      this.len,
      PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_POPULATE | MAP_FIXED,
      fd,
      this.#offset,
    );
    if (ptr === -1) throw new SystemError('Cannot map', { syscall: 'mmap', subject: this.#what });
  }

  /** Unmaps the memory and detaches the view. Idempotent. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    detachView(this.buffer);
    libc.munmap(this.ptr, this.len);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Creates a memfd of `len` zero bytes: memory that another process can open under /proc/PID/fd. */
export function createMemfd(name: string, len: number): Fd {
  const fd = libc.memfdCreate(name, MFD_CLOEXEC);
  if (fd < 0) throw new SystemError('Cannot create memfd', { syscall: 'memfd_create', subject: name });
  const owner = new Fd(fd, `memfd ${name}`);
  if (libc.ftruncate(fd, len) < 0) {
    const error = new SystemError('Cannot size memfd', { syscall: 'ftruncate', subject: name });
    owner.close();
    throw error;
  }
  return owner;
}

function lockFailure(what: string): SystemError {
  return new SystemError('Cannot lock', { syscall: 'mlock', subject: what });
}

interface Pages {
  ptr: number;
  len: number;
  pageSize: number;
  reason: string | undefined;
}

function mapPages(spec: MappedRegionSpec, what: string): Pages {
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
  let reason: string | undefined;
  if (spec.hugePages === 'try' || spec.hugePages === 'strict') {
    const len = Math.ceil(spec.len / HUGE_PAGE) * HUGE_PAGE;
    const ptr = mapArena(len, flags | MAP_HUGETLB | MAP_HUGE_2MB);
    if (ptr > 0) return keepFromChildren({ ptr, len, pageSize: HUGE_PAGE, reason: undefined });
    const error = new SystemError('Cannot map huge pages for', {
      syscall: 'mmap(MAP_HUGETLB)',
      errno: -ptr,
      subject: what,
    });
    if (spec.hugePages === 'strict') throw error;
    reason = error.message;
  }
  const len = Math.ceil(spec.len / SMALL_PAGE) * SMALL_PAGE;
  const ptr = mapArena(len, flags);
  if (ptr < 0) {
    throw new SystemError(`Cannot map ${len} bytes for`, { syscall: 'mmap', errno: -ptr, subject: what });
  }
  return keepFromChildren({ ptr, len, pageSize: SMALL_PAGE, reason });
}

/**
 * Maps memory that crosses no multiple of 4 GiB: the high half of every pointer into it is the same.
 *
 * Reserves twice as many addresses, which hold at most one such line: the memory fits before it or behind it.
 *
 * @returns its ptr, or a negative errno
 */
function mapArena(len: number, flags: number): number {
  const reserved = 2 * len + HUGE_PAGE;
  const base = libc.mmap(0, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base === -1) return -libc.errno();
  const first = Math.ceil(base / HUGE_PAGE) * HUGE_PAGE;
  const ptr = crossedLine(first, len) ?? first;
  const mapped = libc.mmap(ptr, len, PROT_READ | PROT_WRITE, flags | MAP_FIXED, -1, 0);
  const errno = mapped === -1 ? libc.errno() : 0;
  unmap(base, ptr);
  unmap(mapped === -1 ? ptr : ptr + len, base + reserved);
  return errno === 0 ? ptr : -errno;
}

function unmap(from: number, to: number): void {
  if (to > from) libc.munmap(from, to - from);
}

/** Returns the multiple of 4 GiB that lies inside a piece of memory, or undefined when there is none. */
export function crossedLine(ptr: number, len: number): number | undefined {
  const line = Math.ceil((ptr + 1) / FOUR_GIB) * FOUR_GIB;
  return line < ptr + len ? line : undefined;
}

/** NB: a fork would copy-on-write pages that the kernel still writes to, and the parent would read stale ones. */
function keepFromChildren(pages: Pages): Pages {
  libc.madvise(pages.ptr, pages.len, MADV_DONTFORK);
  return pages;
}
