import { MappedRegion } from '../sys/index.ts';
import {
  IORING_CQE_BUFFER_SHIFT,
  IORING_CQE_F_BUFFER,
  IORING_REGISTER_PBUF_RING,
  IORING_UNREGISTER_PBUF_RING,
  io_uring_buf,
  io_uring_buf_reg,
} from '../sys/uapi/index.ts';
import { register, writeU64 } from './register.ts';
import type { Uring } from './ring.ts';

/** What buffers to provide. */
export interface BufferRingSpec {
  /** number by which entries name the ring, 0 to 65535; default 0 */
  readonly group?: number;
  /** a power of two up to 32,768 [buffers] */
  readonly count: number;
  /** of each [bytes] */
  readonly bufferLen: number;
}

const MAX_COUNT = 32_768;
const TWO_32 = 2 ** 32;
const ENTRY_WORDS = io_uring_buf.sizeof / 4;
const LEN_WORD = io_uring_buf.len / 4;
const ID_HALF = io_uring_buf.bid / 2;
/** NB: the last two bytes of slot 0 are the ring's tail, and no entry may write them. */
const TAIL_HALF = io_uring_buf.resv / 2;
const ENTRY_HALVES = io_uring_buf.sizeof / 2;

/** Who may write a buffer. */
const OURS = 0;
const KERNELS = 1;

/**
 * Buffers that the kernel takes as data arrives: nothing is reserved for a connection that is silent.
 *
 * All of them are the kernel's at first. A completion names the one that it filled, which is ours until
 * {@link BufferRing.recycle}; the kernel sees what was recycled at {@link BufferRing.publish}. When it finds none, a receive
 * ends with -ENOBUFS, and has to be started again.
 *
 * @source io_uring_register(2), IORING_REGISTER_PBUF_RING
 * @since Linux 5.19
 */
export class BufferRing implements Disposable {
  readonly group: number;
  /** [buffers] */
  readonly count: number;
  /** [bytes] */
  readonly bufferLen: number;
  /** all buffers, one behind the other */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly #ring: Uring;
  readonly #memory: MappedRegion;
  readonly #slots: MappedRegion;
  readonly #words: Uint32Array;
  readonly #halves: Uint16Array;
  /** by buffer, whose it is */
  readonly #owners: Uint8Array;
  #tail = 0;
  #held = 0;
  #open = true;

  /**
   * Makes the buffers and hands all of them to the kernel.
   *
   * @throws RangeError for numbers that are none; SystemError EEXIST when the ring has such a group, EINVAL before Linux 5.19
   */
  constructor(ring: Uring, { group = 0, count, bufferLen }: BufferRingSpec) {
    checkSpec(group, count, bufferLen);
    this.group = group;
    this.count = count;
    this.bufferLen = bufferLen;
    using cleanup = new DisposableStack();
    this.#memory = cleanup.use(new MappedRegion({ len: count * bufferLen, what: 'io_uring buffers' }));
    this.#slots = cleanup.use(new MappedRegion({ len: count * io_uring_buf.sizeof, what: 'buffer ring' }));
    this.bytes = new Uint8Array(this.#memory.buffer, 0, count * bufferLen);
    this.view = new DataView(this.#memory.buffer, 0, count * bufferLen);
    this.#words = new Uint32Array(this.#slots.buffer);
    this.#halves = new Uint16Array(this.#slots.buffer);
    this.#owners = new Uint8Array(count);
    this.#ring = ring;
    registerRing(ring, IORING_REGISTER_PBUF_RING, this.#slots.ptr, count, group);
    this.#held = count;
    for (let id = 0; id < count; id++) this.recycle(id);
    this.publish();
    cleanup.move();
  }

  /** Buffers that are ours. */
  get held(): number {
    return this.#held;
  }

  /** Where a buffer begins in {@link BufferRing.bytes}. @hot */
  offsetOf(id: number): number {
    return id * this.bufferLen;
  }

  /**
   * Takes the buffer that a completion names; it is ours until it is recycled.
   *
   * @param flags - of the completion
   * @returns its number; -1 when the completion has none, or one that is ours already
   * @hot
   */
  take(flags: number): number {
    if ((flags & IORING_CQE_F_BUFFER) === 0) return -1;
    const id = flags >>> IORING_CQE_BUFFER_SHIFT;
    if (this.#owners[id] !== KERNELS) return -1;
    this.#owners[id] = OURS;
    this.#held++;
    return id;
  }

  /**
   * Puts a buffer of ours back on the ring.
   *
   * @throws Error when it is the kernel's already: it may be writing it
   * @hot
   */
  recycle(id: number): void {
    if (this.#owners[id] !== OURS) throwNotOurs(id);
    this.#owners[id] = KERNELS;
    this.#held--;
    const slot = this.#tail & (this.count - 1);
    const words = this.#words;
    const at = slot * ENTRY_WORDS;
    const ptr = this.#memory.ptr + id * this.bufferLen;
    words[at] = ptr;
    words[at + 1] = ptr / TWO_32;
    words[at + LEN_WORD] = this.bufferLen;
    this.#halves[slot * ENTRY_HALVES + ID_HALF] = id;
    this.#tail = (this.#tail + 1) & 0xffff;
  }

  /** Shows the kernel what was recycled. @hot one release store */
  publish(): void {
    Atomics.store(this.#halves, TAIL_HALF, this.#tail);
  }

  /** Takes the buffers from the kernel and unmaps them; no receive may be under way with them. Idempotent. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    registerRing(this.#ring, IORING_UNREGISTER_PBUF_RING, 0, 0, this.group);
    this.#slots.close();
    this.#memory.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function checkSpec(group: number, count: number, bufferLen: number): void {
  const what = 'Cannot provide buffers:';
  if (!(Number.isInteger(group) && group >= 0 && group <= 0xffff)) {
    throw new RangeError(`${what} group must be 0 to 65535, got ${group}`);
  }
  if (!(Number.isInteger(count) && count >= 1 && count <= MAX_COUNT && (count & (count - 1)) === 0)) {
    throw new RangeError(`${what} count must be a power of two up to ${MAX_COUNT}, got ${count}`);
  }
  if (!(Number.isInteger(bufferLen) && bufferLen >= 1 && count * bufferLen < 2 ** 31)) {
    throw new RangeError(`${what} bufferLen must be 1 or more, and all under 2 GiB, got ${bufferLen} bytes`);
  }
}

function registerRing(ring: Uring, operation: number, ptr: number, count: number, group: number): void {
  const request = new DataView(new ArrayBuffer(io_uring_buf_reg.sizeof));
  writeU64(request, io_uring_buf_reg.ring_addr, ptr);
  request.setUint32(io_uring_buf_reg.ring_entries, count, true);
  request.setUint16(io_uring_buf_reg.bgid, group, true);
  register(ring, `buffer group ${group}`, operation, request, 1);
}

// Cold on purpose: a throw inside a hot function would keep it from being inlined.
function throwNotOurs(id: number): never {
  throw new Error(`Cannot recycle buffer ${id}: the kernel has it already`);
}
