import { workerData } from 'node:worker_threads';
import { viewOf } from '../../src/ffi/index.ts';
import { Random } from './random.ts';

// A thread that plays one side of a memif connection as fast as it can, and lies now and then: the other program with its
// hands in shared memory. What it has to do stands in memory, since its event loop never turns.

/** Numbers of the task, in a Float64Array behind the two words of the state. */
export const Task = {
  ringsPtr: 0,
  ringsLen: 1,
  packetsPtr: 2,
  packetsLen: 3,
  toServer: 4,
  toClient: 5,
  ringSize: 6,
  isClient: 7,
  seed: 8,
} as const;

/** Where the task begins. [bytes] */
export const TASK_OFFSET = 16;
export const TASK_LEN: number = TASK_OFFSET + 8 * Object.keys(Task).length;

/** What the first word says; only the scribbler goes from `stop` to `idle`, and it touches no memory from then on. */
export const State = { idle: 0, run: 1, stop: 2, exit: 3 } as const;

const CHUNK_LEN = 2048;
const HEAD = 6;
const TAIL = 64;
const DESCRIPTORS = 128;

if (workerData instanceof SharedArrayBuffer) work(workerData);

function work(shared: SharedArrayBuffer): void {
  const state = new Int32Array(shared, 0, 1);
  const task = new Float64Array(shared, TASK_OFFSET);
  for (;;) {
    Atomics.wait(state, 0, State.idle);
    if (Atomics.load(state, 0) === State.exit) return;
    if (Atomics.load(state, 0) === State.run) scribble(state, task);
    Atomics.compareExchange(state, 0, State.stop, State.idle);
    Atomics.notify(state, 0);
  }
}

function scribble(state: Int32Array, task: Float64Array): void {
  const random = new Random(task[Task.seed]!);
  const rings = new DataView(viewOf(task[Task.ringsPtr]!, task[Task.ringsLen]!));
  const packets = new Uint8Array(viewOf(task[Task.packetsPtr]!, task[Task.packetsLen]!));
  const [toServer, toClient, size] = [task[Task.toServer]!, task[Task.toClient]!, task[Task.ringSize]!];
  const isClient = task[Task.isClient] === 1;
  // One lie in 16 steps to one in 16 million: some connections end at once, and some get far.
  const lies = 2 ** (4 + random.below(21));
  while (Atomics.load(state, 0) === State.run) {
    for (let i = 0; i < 64; i++) {
      if (isClient) {
        produce(rings, toServer, size, packets.length, random);
        produce(rings, toClient, size, packets.length, random);
      } else {
        rings.setUint16(toServer + TAIL, rings.getUint16(toServer + HEAD, true), true);
        fill(rings, toClient, size, random);
      }
      if (random.below(lies) === 0) lie(rings, random.below(2) === 0 ? toServer : toClient, size, random);
      // Frames change while they are looked at.
      if (random.below(32) > 0) continue;
      const at = random.below(packets.length / CHUNK_LEN) * CHUNK_LEN + random.below(64);
      packets[at] = packets[at]! ^ (1 << random.below(8));
    }
  }
}

/** Shows one more frame, or lends one more buffer. */
function produce(rings: DataView, ring: number, size: number, packetsLen: number, random: Random): void {
  const head = rings.getUint16(ring + HEAD, true);
  if (((head - rings.getUint16(ring + TAIL, true)) & 0xffff) >= size) return;
  const descriptor = ring + DESCRIPTORS + (head & (size - 1)) * 16;
  rings.setUint16(descriptor, random.below(16) === 0 ? 1 : 0, true);
  rings.setUint16(descriptor + 2, 1, true);
  rings.setUint32(descriptor + 4, random.below(2) === 0 ? 82 : 1 + random.below(CHUNK_LEN), true);
  rings.setUint32(descriptor + 8, random.below(packetsLen / CHUNK_LEN) * CHUNK_LEN, true);
  rings.setUint16(ring + HEAD, head + 1, true);
}

/** Fills one more of the buffers that were lent. */
function fill(rings: DataView, ring: number, size: number, random: Random): void {
  const tail = rings.getUint16(ring + TAIL, true);
  if (tail === rings.getUint16(ring + HEAD, true)) return;
  const descriptor = ring + DESCRIPTORS + (tail & (size - 1)) * 16;
  rings.setUint16(descriptor, random.below(16) === 0 ? 1 : 0, true);
  rings.setUint32(descriptor + 4, random.below(2) === 0 ? 82 : 1 + random.below(CHUNK_LEN), true);
  rings.setUint16(ring + TAIL, tail + 1, true);
}

function lie(rings: DataView, ring: number, size: number, random: Random): void {
  const descriptor = ring + DESCRIPTORS + random.below(size) * 16;
  const word = random.pick([
    0,
    1,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    random.below(2 ** 32),
  ]);
  switch (random.below(6)) {
    case 0:
      rings.setUint16(ring + random.pick([HEAD, TAIL]), word, true);
      break;
    case 1: {
      const at = ring + random.pick([HEAD, TAIL]);
      rings.setUint16(at, rings.getUint16(at, true) + random.below(5) - 2, true);
      break;
    }
    case 2:
      rings.setUint32(descriptor + 4 * random.below(4), word, true);
      break;
    case 3:
      for (let slot = 0; slot < size; slot++) rings.setUint16(ring + DESCRIPTORS + slot * 16, 1, true);
      break;
    case 4:
      rings.setUint16(ring + 4, word, true);
      break;
    default:
      rings.setUint8(ring + random.below(DESCRIPTORS + size * 16), random.below(256));
  }
}
