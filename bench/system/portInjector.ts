import { awaitPeer } from '../../src/order/demo/awaitPeer.ts';
import { PortDatagrams } from '../../src/order/demo/portDatagrams.ts';
import {
  encodeIntendedTime,
  encodeOrder,
  OrderRecord,
  Side,
  STAMPED_ORDER_LEN,
} from '../../src/order/index.ts';
import { openPort, type Port } from '../../src/port/index.ts';
import { nowNs } from '../../src/sys/index.ts';
import type { UdpFrameSpec } from '../../src/wire/index.ts';

const BURST = 64;
/** As the kernel's injector: so many orders in a row on one side, then as many on the other that take them all. */
const RUN_BITS = 10;
const PRICE_LEVELS = 32;
const PRICE_TICK_BITS = 20;
const BASE_PRICE_LO = 0x1000_0000;
/** A receiver that takes nothing for so long is gone. */
const STALLED_NS = 2e9;

/** Orders as frames of a port, for wires that no kernel can inject into: what {@link OrderInjector} makes, from this thread. */
export class PortInjector implements Disposable {
  readonly #port: Port;
  readonly #output: PortDatagrams;
  readonly #order = new OrderRecord();
  #injected = 0;

  /** Opens the port. @throws what opening it throws */
  constructor(via: string, ends: UdpFrameSpec) {
    this.#port = openPort(via);
    this.#output = new PortDatagrams(this.#port, ends, BURST);
    this.#order.price = 0x2_0000_0000n;
    this.#order.quantity = 100_000_000n;
  }

  /**
   * Sends `count` orders; a full ring holds it up, and loses none.
   *
   * @param intervalNs - between orders; 0 for as fast as it goes
   * @returns how long it took [ns]
   * @throws Error when nobody takes them
   */
  async inject(count: number, intervalNs: number): Promise<number> {
    await awaitPeer(this.#port);
    const startNs = nowNs();
    let written = 0;
    let sent = 0;
    let takenNs = startNs;
    while (sent < count) {
      const now = nowNs();
      const due = intervalNs === 0 ? count : Math.min(count, Math.floor((now - startNs) / intervalNs));
      while (written < due && written - sent < BURST && this.#write(now)) written++;
      if (written === sent) continue;
      const taken = this.#output.flush();
      sent += taken;
      if (taken > 0) takenNs = now;
      else if (now - takenNs > STALLED_NS + intervalNs) {
        throw new Error(`Cannot go on injecting into ${this.#port.spec}: nobody takes the orders`);
      }
    }
    return nowNs() - startNs;
  }

  /** Closes the port. Idempotent. */
  [Symbol.dispose](): void {
    this.#output[Symbol.dispose]();
  }

  #write(now: number): boolean {
    const output = this.#output;
    const offset = output.reserve(STAMPED_ORDER_LEN);
    if (offset < 0) return false;
    const order = this.#order;
    const number = ++this.#injected;
    order.idLo = number | 0;
    order.side = (number >>> RUN_BITS) & 1 ? Side.sell : Side.buy;
    const level = order.side === Side.buy ? number & (PRICE_LEVELS - 1) : 0;
    order.priceLo = (BASE_PRICE_LO + (level << PRICE_TICK_BITS)) | 0;
    order.intendedNs = now;
    encodeOrder(output.sendView, offset, order);
    encodeIntendedTime(output.sendView, offset, order);
    return true;
  }
}
