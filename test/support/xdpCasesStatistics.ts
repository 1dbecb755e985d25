import assert from 'node:assert/strict';
import { FLOW_SOCKETS } from '../../src/bpf/index.ts';
import { Burst } from '../../src/core/index.ts';
import { XDP_PKT_CONTD } from '../../src/sys/uapi/index.ts';
import type { Umem, UmemSpec, XdpSocket } from '../../src/xdp/index.ts';
import { RawXdpSocket } from './rawXdpSocket.ts';
import { frameOf, receive, receiveWhole, sendAll, tagOf } from './xdpCasesFlow.ts';
import { during, until, type XdpCases, type XdpRig } from './xdpCasesRig.ts';

const FRAME_LEN = 60;
const PAGE = 4096;

/** What the kernel refuses and drops, and that it says so to the frame. */
export const statisticsCases: XdpCases = {
  'rxDropped counts each frame that is too long for a chunk, and the others arrive': {
    run(rig) {
      const sender = rig.openSocket(rig.wire.a);
      const receiver = rig.openSocket(rig.wire.b, { chunkLen: 2048, unaligned: false, headroom: 1280 });
      const longest = receiver.umem.maxFrameLen - 42;
      assert.equal(longest, 470);
      sendAll(
        sender,
        Array.from({ length: 60 }, (_, tag) =>
          frameOf(rig, 'a', tag, tag % 3 === 0 ? longest + 1 + tag : longest),
        ),
      );
      const tags = receive(receiver, 40).map(({ bytes }) => tagOf(bytes));
      assert.ok(tags.every((tag) => tag % 3 !== 0));
      until(
        () => receiver.statistics().rxDropped >= 20,
        () => 'drops',
      );
      assert.equal(receiver.statistics().rxDropped, 20);
    },
  },

  'rxRingFull counts each frame that found the rx ring full': {
    run(rig) {
      const sender = rig.openSocket(rig.wire.a);
      const receiver = rig.openSocket(rig.wire.b, { rxSize: 32 });
      sendAll(
        sender,
        Array.from({ length: 50 }, (_, tag) => frameOf(rig, 'a', tag)),
      );
      until(
        () => receiver.statistics().rxRingFull >= 18,
        () => 'a full rx ring',
      );
      assert.deepEqual(
        receive(receiver, 32).map(({ bytes }) => tagOf(bytes)),
        Array.from({ length: 32 }, (_, tag) => tag),
      );
      during(20, () => assert.equal(receiver.rx(new Burst(1)), 0));
      const { rxRingFull, rxDropped, rxFillRingEmpty } = receiver.statistics();
      assert.deepEqual(
        { rxRingFull, rxDropped, rxFillRingEmpty },
        { rxRingFull: 18, rxDropped: 0, rxFillRingEmpty: 0 },
      );
    },
  },

  'rxFillRingEmpty counts each frame that found no chunk, and what comes after a refill arrives': {
    run(rig) {
      const sender = rig.openSocket(rig.wire.a);
      // Half of the chunks are kept for sending: 32 are lent.
      const umem = rig.umem({ chunkCount: 64 });
      const receiver = rig.openSocket(rig.wire.b, { umem });
      sendAll(
        sender,
        Array.from({ length: 50 }, (_, tag) => frameOf(rig, 'a', tag)),
      );
      until(
        () => receiver.statistics().rxFillRingEmpty >= 18,
        () => 'an empty fill ring',
      );
      const { rxRingFull, rxDropped, rxFillRingEmpty } = receiver.statistics();
      assert.deepEqual(
        { rxRingFull, rxDropped, rxFillRingEmpty },
        { rxRingFull: 0, rxDropped: 18, rxFillRingEmpty: 18 },
      );
      receive(receiver, 32);
      sendAll(
        sender,
        Array.from({ length: 10 }, (_, tag) => frameOf(rig, 'a', 100 + tag)),
      );
      receive(receiver, 10);
      assert.equal(receiver.statistics().rxFillRingEmpty, 18);
    },
  },

  'addrs on the fill ring that are in no chunk are stepped over': {
    run(rig) {
      const umem = rig.umem({ debug: false });
      using raw = new RawXdpSocket(rig.wire.b, umem, { mode: rig.environment.mode });
      const program = rig.redirect(rig.wire.b, { sockets: 1, index: 0 });
      program.map(FLOW_SOCKETS).update(0, raw.rings.fd.fd);
      const sender = rig.socket(rig.wire.a, { umem: rig.umem() });
      const { fill } = raw.rings;
      const addrs = [umem.len, 0, umem.len + 7 * PAGE, 2 * umem.chunkLen];
      assert.equal(fill.cursor.reserve(addrs.length), addrs.length);
      for (const [i, addr] of addrs.entries()) {
        fill.words[2 * fill.cursor.slot(i)] = addr;
        fill.words[2 * fill.cursor.slot(i) + 1] = 0;
      }
      fill.cursor.submit(addrs.length);
      raw.kick();
      sendAll(sender, [frameOf(rig, 'a', 1), frameOf(rig, 'a', 2)]);
      until(
        () => raw.rings.rx.cursor.available() === 2,
        () => 'two frames in the chunks that there are',
      );
      // NB: the kernel reports the rx ring's count, which is never raised, and not the fill ring's.
      assert.ok([0, 2].includes(raw.statistics().rxInvalidDescs));
    },
  },

  'descriptors in chunks of 2,048 bytes: the kernel and tx() refuse the same ones': {
    run: (rig) => refusesTheSame(rig, { chunkLen: 2048, unaligned: false }),
  },

  'descriptors in chunks of 4,096 bytes: the kernel and tx() refuse the same ones': {
    run: (rig) => refusesTheSame(rig, { chunkLen: 4096, unaligned: false }),
  },

  'descriptors in unaligned chunks of 4,096 bytes: the kernel and tx() refuse the same ones': {
    run: (rig) => refusesTheSame(rig, { chunkLen: 4096, unaligned: true }),
  },

  'descriptors in unaligned chunks of 4,001 bytes: the kernel and tx() refuse the same ones': {
    run: (rig) => refusesTheSame(rig, { chunkLen: 4001, unaligned: true }),
  },

  'frames over several chunks with an invalid piece, or too many: none arrives, and those between them do': {
    mtu: 9000,
    queues: 2,
    run: dropsBrokenFrames,
  },
};

/** A descriptor, and what is to become of it. */
interface Attempt {
  readonly what: string;
  /** below 0: before the umem [bytes] */
  readonly addr: number;
  readonly len: number;
  readonly valid: boolean;
  /** ours is stricter: NB: the kernel knows no chunks when they are unaligned, and would send from two of ours */
  readonly ours?: false;
}

function attempts({ len: umemLen, chunkLen, unaligned }: Umem): Attempt[] {
  const half = FRAME_LEN / 2;
  const between = (what: string, border: number): Attempt => {
    const within = border % chunkLen >= half && chunkLen - (border % chunkLen) >= half;
    return {
      what: `across ${what}`,
      addr: border - half,
      len: FRAME_LEN,
      valid: within || unaligned,
      ...(!within && unaligned && { ours: false as const }),
    };
  };
  return [
    { what: 'at addr 0', addr: 0, len: FRAME_LEN, valid: true },
    { what: 'at the start of another chunk', addr: 8 * chunkLen, len: FRAME_LEN, valid: true },
    {
      what: 'at the start of an odd chunk',
      addr: 9 * chunkLen,
      len: FRAME_LEN,
      valid: true,
      // NB: its completion would name the chunk before, see txRange().
      ...(chunkLen % 2 === 1 && { ours: false as const }),
    },
    { what: 'behind the start of an odd chunk', addr: 11 * chunkLen + 1, len: FRAME_LEN, valid: true },
    { what: 'across the start', addr: -half, len: FRAME_LEN, valid: false },
    { what: 'as long as a chunk', addr: 10 * chunkLen, len: Math.min(chunkLen, 1514), valid: true },
    { what: 'longer than a chunk', addr: 12 * chunkLen, len: chunkLen + 1, valid: false },
    { what: 'that ends exactly at the end', addr: umemLen - FRAME_LEN, len: FRAME_LEN, valid: true },
    { what: 'behind the end', addr: umemLen, len: FRAME_LEN, valid: false },
    { what: 'far behind the end', addr: 2 * umemLen + PAGE, len: FRAME_LEN, valid: false },
    { what: 'across the end', addr: umemLen - half, len: FRAME_LEN, valid: false },
    between('a page', 4 * PAGE),
    between('2,048', 2048),
    between('two chunks', 2 * chunkLen),
  ];
}

/** Writes each descriptor onto the tx ring past our own check, and asks the check of each beside it. */
function refusesTheSame(rig: XdpRig, chunks: Pick<UmemSpec, 'chunkLen' | 'unaligned'>): void {
  const receiver = rig.openSocket(rig.wire.b, { chunkLen: 4096, unaligned: false });
  const umem = rig.umem({ ...chunks, chunkCount: 64, debug: false });
  const wanted = attempts(umem);
  const arrived: number[] = [];
  {
    using raw = new RawXdpSocket(rig.wire.a, umem, { mode: rig.environment.mode });
    for (const [tag, { addr, len }] of wanted.entries()) {
      if (addr < 0 || addr + len > umem.len) umem.bytes.fill(0xee, Math.max(0, umem.len - FRAME_LEN));
      else umem.bytes.set(frameOf(rig, 'a', tag, len - 42), addr);
      raw.put(addr, len, 0);
      raw.drain();
      if (wanted[tag]!.valid) arrived.push(tagOf(receive(receiver, 1)[0]!.bytes));
    }
    during(20, () => assert.equal(receiver.rx(new Burst(1)), 0, 'no invalid one arrives'));
    assert.deepEqual(
      arrived.map((tag) => wanted[tag]!.what),
      wanted.filter(({ valid }) => valid).map(({ what }) => what),
    );
    assert.equal(raw.statistics().txInvalidDescs, wanted.filter(({ valid }) => !valid).length);
  }
  const socket = rig.socket(rig.wire.a, { umem: rig.umem({ ...chunks, chunkCount: 64, debug: false }) });
  for (const { what, addr, len, valid, ours = valid } of wanted) {
    assert.equal(accepts(socket, addr, len), ours, what);
  }
  socket.flush();
}

/** Whether tx() takes a frame; a refusal has to be a RangeError. */
function accepts(socket: XdpSocket, addr: number, len: number): boolean {
  const burst = new Burst(1);
  burst.count = 1;
  burst.addr[0] = addr;
  burst.len[0] = len;
  try {
    return socket.tx(burst) === 1;
  } catch (error) {
    assert.ok(error instanceof RangeError, String(error));
    return false;
  }
}

const PIECE_LEN = 100;

/** Frames in pieces, each 1, or 0 when it lies behind the end of the umem. */
const BROKEN: Readonly<Record<string, readonly number[]>> = {
  'whose first piece is invalid': [0, 1],
  'whose second piece is invalid': [1, 0, 1],
  'whose last piece is invalid': [1, 1, 0],
  'of more than 18 pieces': new Array(19).fill(1),
};

/** Sends broken frames between whole ones past our own check, and asks the check of each beside it. */
function dropsBrokenFrames(rig: XdpRig): void {
  const receiver = rig.openSocket(rig.wire.b, { multiBuffer: true });
  const umem = rig.umem({ chunkCount: 64, debug: false });
  using raw = new RawXdpSocket(rig.wire.a, umem, { mode: rig.environment.mode, multiBuffer: true });
  const ours = rig.socket(rig.wire.a, {
    umem: rig.umem({ chunkCount: 64, debug: false }),
    queue: 1,
    multiBuffer: true,
  });
  const { chunkLen } = umem;
  const whole = frameOf(rig, 'a', 8, 3 * PIECE_LEN - 42);
  for (let i = 0; i < 3; i++)
    umem.bytes.set(whole.subarray(PIECE_LEN * i, PIECE_LEN * (i + 1)), (30 + i) * chunkLen);
  let refused = 0;
  for (const [what, lens] of Object.entries(BROKEN)) {
    const burst = new Burst(lens.length);
    for (const [i, inside] of lens.entries()) {
      const addr = inside === 0 ? umem.len + PAGE : (1 + i) * chunkLen;
      const continues = i < lens.length - 1 ? XDP_PKT_CONTD : 0;
      raw.put(addr, PIECE_LEN, continues);
      writePiece(burst, i, addr, continues);
    }
    for (let i = 0; i < 3; i++) raw.put((30 + i) * chunkLen, PIECE_LEN, i < 2 ? XDP_PKT_CONTD : 0);
    raw.drain();
    assert.deepEqual(receiveWhole(receiver, 1), [Buffer.from(whole)], `behind a frame ${what}`);
    // The kernel refuses all pieces of such a frame.
    refused += lens.length;
    assert.equal(raw.statistics().txInvalidDescs, refused, what);
    assert.throws(() => ours.tx(burst), RangeError, what);
  }
  during(20, () => assert.equal(receiver.rx(new Burst(1)), 0, 'no broken one arrives'));
  assert.equal(ours.statistics().txFrames, 0);
}

function writePiece(burst: Burst, i: number, addr: number, flags: number): void {
  burst.addr[i] = addr;
  burst.len[i] = PIECE_LEN;
  burst.flags[i] = flags;
  burst.count = i + 1;
}
