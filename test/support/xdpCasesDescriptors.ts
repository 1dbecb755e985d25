import assert from 'node:assert/strict';
import { Burst } from '../../src/core/index.ts';
import { XDP_PKT_CONTD } from '../../src/sys/uapi/index.ts';
import type { Umem, UmemSpec, XdpSocket } from '../../src/xdp/index.ts';
import { RawXdpSocket } from './rawXdpSocket.ts';
import { frameOf, receive, receiveWhole, tagOf } from './xdpCasesFlow.ts';
import { during, type XdpCases, type XdpRig } from './xdpCasesRig.ts';

const FRAME_LEN = 60;
const PAGE = 4096;

/** Frames that cannot be sent: the kernel counts them, and tx() does not let it come to that. */
export const descriptorCases: XdpCases = {
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
