import assert from 'node:assert/strict';
import { Burst, FrameFlags } from '../../src/core/index.ts';
import { parseMac } from '../../src/wire/index.ts';
import type { XdpSocket } from '../../src/xdp/index.ts';
import { udpFrame } from './frames.ts';
import { until, type XdpRig } from './xdpCasesRig.ts';

/** Ethernet, IPv4 and UDP. [bytes] */
export const HEADERS_LEN: number = 42;
/** Of a frame of 60 bytes, the shortest that Ethernet has. */
export const MIN_PAYLOAD_LEN: number = 18;

/** A frame of the test flow from one end to the other; `tag` numbers it. */
export function frameOf(
  rig: XdpRig,
  from: 'a' | 'b',
  tag: number,
  payloadLen: number = MIN_PAYLOAD_LEN,
): Uint8Array {
  const { a, b } = rig.wire;
  const [source, destination] = from === 'a' ? [a, b] : [b, a];
  return udpFrame(parseMac(source.mac), parseMac(destination.mac), payloadLen, tag);
}

/** Puts a copy of `frame` behind the burst's last, in a chunk of the socket. @returns whether there was a chunk */
export function append(socket: XdpSocket, burst: Burst, frame: Uint8Array): boolean {
  if (socket.alloc(burst, 1) === 0) return false;
  socket.umem.bytes.set(frame, burst.addr[burst.count - 1]!);
  burst.len[burst.count - 1] = frame.length;
  return true;
}

/** Sends all frames, however often the rings are full. */
export function sendAll(socket: XdpSocket, frames: readonly Uint8Array[]): void {
  const burst = new Burst(64);
  let next = 0;
  until(
    () => {
      while (burst.count < burst.capacity && next < frames.length && append(socket, burst, frames[next]!))
        next++;
      burst.dropPrefix(socket.tx(burst));
      socket.flush();
      return next === frames.length && burst.count === 0;
    },
    () => `${frames.length - next} of ${frames.length} frames to be sent`,
  );
}

/** A frame that arrived, copied out of its chunk. */
export interface Arrival {
  readonly bytes: Uint8Array;
  /** where it lay */
  readonly addr: number;
}

/** Receives exactly `count` frames and recycles them. */
export function receive(socket: XdpSocket, count: number): Arrival[] {
  const arrivals: Arrival[] = [];
  const burst = new Burst(16);
  until(
    () => {
      socket.rx(burst);
      for (let i = 0; i < burst.count; i++)
        arrivals.push({ bytes: copyOf(socket, burst, i), addr: burst.addr[i]! });
      socket.recycle(burst);
      return arrivals.length >= count;
    },
    () => `${count - arrivals.length} of ${count} frames`,
  );
  assert.equal(arrivals.length, count, 'frames that arrived');
  return arrivals;
}

/** Receives frames over several chunks, each put together. */
export function receiveWhole(socket: XdpSocket, count: number): Buffer[] {
  const frames: Buffer[] = [];
  // No longer than it must be, so that frames do not fit it evenly.
  const burst = new Burst(18);
  until(
    () => {
      socket.rx(burst);
      let pieces: Uint8Array[] = [];
      for (let i = 0; i < burst.count; i++) {
        pieces.push(copyOf(socket, burst, i));
        if ((burst.flags[i]! & FrameFlags.continues) !== 0) continue;
        frames.push(Buffer.concat(pieces));
        pieces = [];
      }
      assert.equal(pieces.length, 0, 'no frame is split between bursts');
      socket.recycle(burst);
      return frames.length >= count;
    },
    () => `${count - frames.length} frames over several chunks`,
  );
  return frames;
}

/** The bytes of descriptor `i`. */
export function copyOf(socket: XdpSocket, burst: Burst, i: number): Uint8Array {
  return socket.umem.bytes.slice(burst.addr[i]!, burst.addr[i]! + burst.len[i]!);
}

/** The number of a frame made by {@link frameOf}. */
export function tagOf(frame: Uint8Array): number {
  return new DataView(frame.buffer, frame.byteOffset).getUint32(HEADERS_LEN);
}

/** How a {@link NumberedFlow} runs. */
export interface NumberedFlowOptions {
  readonly from: 'a' | 'b';
  readonly sender: XdpSocket;
  /** whoever of them gets it */
  readonly receivers: readonly XdpSocket[];
  readonly total: number;
  /** of the payload of each frame; default from the shortest to the longest that Ethernet has [bytes] */
  readonly payloadLen?: (tag: number) => number;
  /** frames on their way at most, fewer than any ring of the way takes; default 128 */
  readonly window?: number;
}

/** Numbered frames from one end to the other: each arrives once, unchanged and, where the wire keeps order, in order. */
export class NumberedFlow {
  /** frames that arrived, by receiver */
  readonly received: number[];
  readonly #rig: XdpRig;
  readonly #options: NumberedFlowOptions;
  readonly #payloadLen: (tag: number) => number;
  readonly #seen = new Set<number>();
  readonly #last: number[];
  readonly #out = new Burst(32);
  readonly #in = new Burst(32);
  #sent = 0;

  constructor(rig: XdpRig, options: NumberedFlowOptions) {
    this.#rig = rig;
    this.#options = options;
    this.#payloadLen = options.payloadLen ?? ((tag) => MIN_PAYLOAD_LEN + ((tag * 37) % 1455));
    this.received = options.receivers.map(() => 0);
    this.#last = options.receivers.map(() => -1);
  }

  /** All frames have arrived. */
  get done(): boolean {
    return this.#seen.size === this.#options.total;
  }

  /** frames that have arrived, at whomever */
  get arrived(): number {
    return this.#seen.size;
  }

  /** Sends what the window allows, and receives what is there. */
  step(): void {
    this.#send();
    for (const [i, receiver] of this.#options.receivers.entries()) {
      receiver.rx(this.#in);
      for (let at = 0; at < this.#in.count; at++) this.#check(i, copyOf(receiver, this.#in, at));
      receiver.recycle(this.#in);
    }
  }

  /** Steps until all have arrived. */
  run(): void {
    until(
      () => {
        this.step();
        return this.done;
      },
      () => `${this.#options.total} frames, of which ${this.#seen.size} arrived`,
    );
  }

  #send(): void {
    const { sender, total, window = 128, from } = this.#options;
    const out = this.#out;
    let room = Math.min(
      out.capacity - out.count,
      total - this.#sent,
      window - (this.#sent - this.#seen.size),
    );
    for (; room > 0; room--) {
      const frame = frameOf(this.#rig, from, this.#sent, this.#payloadLen(this.#sent));
      if (!append(sender, out, frame)) break;
      this.#sent++;
    }
    out.dropPrefix(sender.tx(out));
    sender.flush();
  }

  #check(receiver: number, frame: Uint8Array): void {
    const tag = tagOf(frame);
    const expected = frameOf(this.#rig, this.#options.from, tag, this.#payloadLen(tag));
    assert.deepEqual(Buffer.from(frame), Buffer.from(expected), `frame ${tag} arrived as it was sent`);
    assert.ok(!this.#seen.has(tag), `frame ${tag} arrived twice`);
    if (this.#rig.environment.strictOrder) {
      assert.ok(tag > this.#last[receiver]!, `frame ${tag} arrived behind ${this.#last[receiver]}`);
    }
    this.#last[receiver] = tag;
    this.#seen.add(tag);
    this.received[receiver]!++;
  }
}
