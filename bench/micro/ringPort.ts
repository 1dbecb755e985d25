import { ConsumerCursor, ProducerCursor } from '../../src/core/index.ts';
import type { Port, PortReport, PortStatistics, Region } from '../../src/port/index.ts';
import {
  ADDR_WORDS,
  ConsumerRing,
  DESC_WORDS,
  FillRing,
  FrameRings,
  type FrameRingsOptions,
  ProducerRing,
  type RingMemory,
  type RingSet,
  Umem,
  XdpCounter,
} from '../../src/xdp/index.ts';

/** Slots of each ring, as testpmd has; the fill ring has twice as many. */
export const RING_SIZE = 1024;
/** Where the kernel puts frames in their chunks. [bytes] */
const KERNEL_HEADROOM = 256;

/** The rings of an AF_XDP socket in plain memory, as a port: all that a socket does but for its system calls. */
export class RingPort extends FrameRings implements Port {
  readonly spec = 'rings';
  readonly report: PortReport = { via: 'rings', accelerated: false, mode: 'plain memory', reasons: [] };
  readonly mac: Uint8Array = new Uint8Array(6);
  readonly mtu: number = 1500;
  readonly maxPieceLen: number;
  readonly regions: readonly Region[];
  readonly fds: readonly number[] = [];
  readonly kernel: RingKernel;

  constructor(options: FrameRingsOptions & { readonly txMetadata?: boolean } = {}) {
    const memory = {
      rx: ringMemory(RING_SIZE, DESC_WORDS),
      tx: ringMemory(RING_SIZE, DESC_WORDS),
      fill: ringMemory(2 * RING_SIZE, ADDR_WORDS),
      completion: ringMemory(RING_SIZE, ADDR_WORDS),
    };
    const rings: RingSet = {
      rx: new ConsumerRing(memory.rx, DESC_WORDS),
      tx: new ProducerRing(memory.tx),
      fill: new FillRing(memory.fill),
      completion: new ConsumerRing(memory.completion, ADDR_WORDS),
    };
    const umem = new Umem({
      chunkCount: 3 * RING_SIZE,
      txMetadata: options.txMetadata ?? false,
      what: 'umem of rings in plain memory',
    });
    umem.txReserve = RING_SIZE;
    super(rings, umem, options);
    this.maxPieceLen = umem.chunkLen - umem.txHeadroom;
    this.regions = [{ view: umem.view, bytes: umem.bytes }];
    this.kernel = new RingKernel(memory);
    this.refill();
  }

  /** What a socket does whose kernel is awake. */
  flush(): void {
    if (this.unsent === 0) return;
    if (this.txRing.needsWakeup()) throw new Error('Cannot wake a kernel that is none');
    this.unsent = this.txRing.size - this.txRing.cursor.free();
    this.reap();
  }

  arm(): boolean {
    return false;
  }

  statistics(): PortStatistics {
    const { counters } = this;
    return {
      rxFrames: counters[XdpCounter.rxFrames]!,
      rxBytes: counters[XdpCounter.rxBytes]!,
      txFrames: counters[XdpCounter.txFrames]!,
      txBytes: counters[XdpCounter.txBytes]!,
      txRefused: counters[XdpCounter.txRefused]!,
      drops: {},
    };
  }

  close(): void {
    this.umem.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The other side of the rings: chunks that were lent come back with frames, frames that were sent are done with. */
export class RingKernel {
  readonly #rx: ProducerCursor;
  readonly #rxWords: Uint32Array;
  readonly #tx: ConsumerCursor;
  readonly #txWords: Uint32Array;
  readonly #fill: ConsumerCursor;
  readonly #fillWords: Uint32Array;
  readonly #completion: ProducerCursor;
  readonly #completionWords: Uint32Array;

  constructor(memory: Readonly<Record<'rx' | 'tx' | 'fill' | 'completion', RingMemory>>) {
    const { rx, tx, fill, completion } = memory;
    this.#rx = new ProducerCursor(rx.buffer, rx.producer, rx.consumer, rx.size);
    this.#rxWords = new Uint32Array(rx.buffer, rx.slots);
    this.#tx = new ConsumerCursor(tx.buffer, tx.producer, tx.consumer, tx.size);
    this.#txWords = new Uint32Array(tx.buffer, tx.slots);
    this.#fill = new ConsumerCursor(fill.buffer, fill.producer, fill.consumer, fill.size);
    this.#fillWords = new Uint32Array(fill.buffer, fill.slots);
    this.#completion = new ProducerCursor(
      completion.buffer,
      completion.producer,
      completion.consumer,
      completion.size,
    );
    this.#completionWords = new Uint32Array(completion.buffer, completion.slots);
  }

  /** Receives frames of `len` bytes, whatever stands in the chunks. @returns how many: up to the rx ring's size */
  receive(len: number): number {
    const count = Math.min(this.#fill.peek(RING_SIZE), this.#rx.reserve(RING_SIZE));
    for (let i = 0; i < count; i++) {
      const from = this.#fill.slot(i) * ADDR_WORDS;
      const to = this.#rx.slot(i) * DESC_WORDS;
      this.#rxWords[to] = this.#fillWords[from]! + KERNEL_HEADROOM;
      this.#rxWords[to + 2] = len;
    }
    this.#fill.release(count);
    this.#rx.submit(count);
    return count;
  }

  /** Sends all that is on the tx ring. @returns how many frames */
  send(): number {
    const count = Math.min(this.#tx.peek(RING_SIZE), this.#completion.reserve(RING_SIZE));
    for (let i = 0; i < count; i++) {
      const from = this.#tx.slot(i) * DESC_WORDS;
      this.#completionWords[this.#completion.slot(i) * ADDR_WORDS] = this.#txWords[from]!;
    }
    this.#tx.release(count);
    this.#completion.submit(count);
    return count;
  }
}

/** Lays a ring out as the kernel does: cursors and flags in cache lines of their own. */
function ringMemory(size: number, words: number): RingMemory {
  const slots = 192;
  return {
    ...{ producer: 0, consumer: 64, flags: 128, slots, size },
    buffer: new ArrayBuffer(slots + size * words * 4),
  };
}
