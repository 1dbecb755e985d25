/**
 * core: the data structures of the data path, without a single system call.
 *
 * Everything here works on memory that somebody else owns, given as (buffer, offset), or on private memory that is
 * allocated once: nothing allocates, blocks, or reads a clock afterwards. The layer is pure and imports nothing.
 *
 * - {@link Burst}: descriptors as a struct of arrays, what every port fills and empties.
 * - {@link Pollable}: what a lane drives; `poll` does work, `arm` closes the race before it sleeps.
 * - {@link ProducerCursor}, {@link ConsumerCursor}: the two ends of any ring in shared memory. Invariant: each cursor
 *   has one writer; consumer <= producer <= consumer + size, modulo 2^32. One atomic load and store per burst.
 * - {@link copyBytes}: frames from one memory to another, without a view for each.
 * - {@link ChunkPool}, {@link ChunkLedger}: the free chunks, and in debug mode the one owner of each chunk. Invariant:
 *   the owners' counts add up to the number of chunks at any time.
 * - {@link SpscQueue}: fixed-size records between two threads or processes.
 * - {@link CountersPage}, {@link Histogram}: statistics that describe themselves, written by one thread without waiting
 *   and read by anybody at the same time. Invariant: a reader writes nothing, and trusts nothing that it reads.
 * - {@link TimerWheel}: timers that cost the same however many there are; the caller brings the time.
 *
 * What lies in shared memory starts with a magic word, a version and its own size, is written before the magic word,
 * and is checked by whoever opens it. It is little-endian, as all machines are that Barewire runs on.
 *
 * It does not map memory (sys), know what a slot of a kernel ring holds (xdp), drive anything (lane), wake anybody.
 *
 * References: Linux Documentation/networking/af_xdp.rst and memory-barriers.txt; ECMA-262, "Memory Model"; Agrona's
 * counters; G. Tene's HdrHistogram; Varghese and Lauck on timing wheels.
 */
export type { BurstOptions } from './burst.ts';
export { Burst, copyDescriptor, FrameFlags } from './burst.ts';
export type { ChunkCounts, ChunkLayout } from './chunkLedger.ts';
export { ChunkLedger, ChunkOwner } from './chunkLedger.ts';
export type { ChunkPoolSpec } from './chunkPool.ts';
export { ChunkPool } from './chunkPool.ts';
export { copyBytes } from './copyBytes.ts';
export type { CounterReading, HistogramReading } from './countersPage.ts';
export { CountersPage } from './countersPage.ts';
export type { CounterSpec, CountersPageSpec, HistogramSpec } from './countersSpec.ts';
export { Histogram } from './histogram.ts';
export type { Pollable } from './pollable.ts';
export { ConsumerCursor, ProducerCursor } from './ringCursors.ts';
export type { SpscConsumer, SpscProducer, SpscQueueSpec } from './spscQueue.ts';
export { SpscQueue } from './spscQueue.ts';
export type { TimerHandler, TimerWheelSpec } from './timerWheel.ts';
export { TimerWheel } from './timerWheel.ts';
