import {
  Assembler,
  BpfMap,
  BpfProgram,
  type MapSpec,
  type ProgramSpec,
  r0,
  r1,
  r2,
  r3,
  r6,
  r7,
  r8,
  r9,
} from '../../src/bpf/index.ts';
import { encodeOrder, ORDER_LEN, OrderRecord } from '../../src/order/index.ts';
import { nowNs } from '../../src/sys/index.ts';
import * as k from '../../src/sys/uapi/index.ts';
import { type UdpFrameSpec, UdpFrameTemplate } from '../../src/wire/index.ts';

// The payload of an injected order. The program rewrites id, price, side and time; behind them stand the ones'
// complements, byte for byte at the same parity, so that the sum of both is the same whatever they say, and the
// checksum that the frame was built with stays right:
//
//   byte  0    8       16         24   25       33        41  42    46    50     51 52
//        +----+-------+----------+----+--------+---------+---+-----+------+------+--+
//        | id | price | quantity |side| time   | ~time   | 0 | ~id |~price| ~side| 0|
//        +----+-------+----------+----+--------+---------+---+-----+------+------+--+
//          (the low 32 bits of id and price)
const TIME = ORDER_LEN;
const NOT_TIME = 33;
const NOT_ID = 42;
const NOT_PRICE = 46;
const NOT_SIDE = 50;
const PAYLOAD_LEN = 52;

/** Orders in a row on one side, so that at most so many rest; then as many on the other side take them all. */
const RUN_BITS = 10;
const PRICE_LEVELS = 32;
const PRICE_TICK_BITS = 20;
const BASE_PRICE_LO = 0x1000_0000;

/** What the program remembers from order to order: how many there were, when the first is due, and how far apart. */
const state: MapSpec = { name: 'injector', type: 'array', keyLen: 4, valueLen: 24, capacity: 1 };
const COUNT = 0;
const START_NS = 8;
const INTERVAL_NS = 16;
/** About the time that a call takes before the first order. [ns] */
const CALL_NS = 30e6;
/** Looks at the clock while an order is not due, at some 25 ns each: enough for intervals up to 6 us. */
const MAX_LOOKS = 256;

/**
 * Frames with orders, made by the kernel: an XDP program that is run on copies of one frame, makes each a different
 * order, stamps it with the time, and transmits it.
 *
 * 1,024 buys at 32 prices, then 1,024 sells that match them, over and over; ids count up from 1.
 */
export class OrderInjector implements Disposable {
  readonly #program: BpfProgram;
  readonly #state: BpfMap;
  readonly #frame: Uint8Array;
  readonly #ifindex: number;
  #injected = 0;

  /** @param ifindex - the interface that transmits, in the calling thread's namespace */
  constructor(ends: UdpFrameSpec, ifindex: number) {
    this.#frame = buildFrame(ends);
    this.#ifindex = ifindex;
    this.#state = BpfMap.create(state);
    try {
      this.#program = BpfProgram.load(injectorSpec(this.#frame.length), [this.#state]);
    } catch (error) {
      this.#state.close();
      throw error;
    }
  }

  /**
   * Has `count` orders transmitted; returns when the kernel is through with them.
   *
   * NB: each call has the kernel patch its code and wait for all cores, some 25 ms: pace within a call, not by calls.
   *
   * @returns how long it took, without what a call takes by itself [ns]
   * @param intervalNs - the program waits until each order is due; 0 for as fast as it goes from the first [ns, up to 6,000]
   */
  inject(count: number, intervalNs: number): number {
    const interval = Math.round(intervalNs);
    const firstDueNs = nowNs() + CALL_NS;
    const value = new BigUint64Array(3);
    value[COUNT / 8] = BigInt(this.#injected);
    value[START_NS / 8] = interval === 0 ? 0n : BigInt(firstDueNs - this.#injected * interval);
    value[INTERVAL_NS / 8] = BigInt(interval);
    this.#state.update(0, value);
    this.#injected += count;
    this.#program.injectFrames({ frame: this.#frame, repeat: count, burst: 64, ifindex: this.#ifindex });
    return nowNs() - firstDueNs;
  }

  /** Lets go of the program. Idempotent. */
  [Symbol.dispose](): void {
    this.#program.close();
    this.#state.close();
  }
}

function buildFrame(ends: UdpFrameSpec): Uint8Array {
  const template = new UdpFrameTemplate(ends);
  const frame = new Uint8Array(template.headerLen + PAYLOAD_LEN);
  const view = new DataView(frame.buffer);
  const order = new OrderRecord();
  order.price = 0x2_0000_0000n;
  order.quantity = 100_000_000n;
  encodeOrder(view, template.headerLen, order);
  frame.fill(0xff, template.headerLen + NOT_TIME, template.headerLen + NOT_TIME + 8);
  frame.fill(0xff, template.headerLen + NOT_ID, template.headerLen + NOT_SIDE + 1);
  template.write(view, 0, PAYLOAD_LEN);
  return frame;
}

function injectorSpec(frameLen: number): ProgramSpec {
  const a = new Assembler();
  // The end of the frame is needed once, before the wait begins.
  const [payload, end, looks, number, due] = [r6, r7, r7, r8, r9];
  const at = frameLen - PAYLOAD_LEN;
  a.ldx('u32', payload, r1, k.xdp_md.data);
  a.ldx('u32', end, r1, k.xdp_md.data_end);
  a.mov(r2, payload);
  a.add(r2, frameLen);
  a.mov(r0, k.XDP_ABORTED);
  a.jgt(r2, end, 'return');
  a.ldMapValue(r1, state.name);
  a.ldx('u64', number, r1, COUNT);
  a.add(number, 1);
  a.stx('u64', r1, COUNT, number);
  a.comment('when it is due');
  a.ldx('u64', due, r1, INTERVAL_NS);
  a.mul(due, number);
  a.ldx('u64', r2, r1, START_NS);
  a.add(due, r2);
  a.mov(looks, 0);
  a.label('wait');
  a.comment('bpf_ktime_get_ns: CLOCK_MONOTONIC');
  a.call(k.BPF_FUNC_ktime_get_ns);
  a.jge(r0, due, 'due');
  a.add(looks, 1);
  a.jlt(looks, MAX_LOOKS, 'wait');
  a.label('due');
  a.stx('u64', payload, at + TIME, r0);
  a.xor(r0, -1);
  a.stx('u64', payload, at + NOT_TIME, r0);
  storeWithComplement(a, () => a.mov(r3, number), 'u32', at, at + NOT_ID);
  a.comment('side: changes every 1,024 orders');
  a.mov(r2, number);
  a.rsh(r2, RUN_BITS);
  a.and(r2, 1);
  storeWithComplement(a, () => a.mov(r3, r2), 'u8', at + 24, at + NOT_SIDE);
  a.comment('price: 32 levels for buys, the lowest of them for sells');
  const price = (): void => {
    a.mov(r3, number);
    a.and(r3, PRICE_LEVELS - 1);
    a.lsh(r3, PRICE_TICK_BITS);
    a.jeq(r2, 0, 'buy');
    a.mov(r3, 0);
    a.label('buy');
    a.add(r3, BASE_PRICE_LO);
  };
  storeWithComplement(a, price, 'u32', at + 8, at + NOT_PRICE);
  a.mov(r0, k.XDP_TX);
  a.label('return');
  a.exit();
  return { name: 'inject_orders', type: 'xdp', assembly: a.assemble(), maps: [state] };
}

/** Stores r3, as `compute` leaves it, and its ones' complement. Leaves r2 alone. */
function storeWithComplement(
  a: Assembler,
  compute: () => void,
  size: 'u8' | 'u32',
  offset: number,
  complement: number,
): void {
  const base = r6;
  compute();
  a.stx(size, base, offset, r3);
  a.xor(r3, -1);
  a.stx(size, base, complement, r3);
}
