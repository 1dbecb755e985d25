import { encodeOrder, ORDER_LEN, OrderRecord } from '../../src/order/index.ts';
import { UdpFrameTemplate } from '../../src/wire/index.ts';
import { scramble } from './scramble.ts';

/** The UDP port that the frames are sent to. */
export const ORDER_PORT = 9000;

const template = new UdpFrameTemplate({
  destinationMac: '02:00:00:00:00:02',
  sourceMac: '02:00:00:00:00:01',
  destinationAddress: '10.0.0.2',
  sourceAddress: '10.0.0.1',
  destinationPort: ORDER_PORT,
  sourcePort: 40_000,
});

/** Where the order lies in a frame: behind Ethernet without a tag, IPv4 without options, and UDP [bytes]. */
export const PAYLOAD_OFFSET: number = template.headerLen;

/** A frame with an order and nothing behind it [bytes]. */
export const FRAME_LEN: number = PAYLOAD_OFFSET + ORDER_LEN;

/**
 * Writes the `n`-th of many different frames, checksums included; its order's id, price and quantity look random
 * over the whole u64 range.
 *
 * @param offset - where the frame begins; {@link FRAME_LEN} bytes are written
 */
export function writeOrderFrame(view: DataView, offset: number, n: number): void {
  const order = new OrderRecord();
  order.idLo = scramble(6 * n);
  order.idHi = scramble(6 * n + 1);
  order.priceLo = scramble(6 * n + 2);
  order.priceHi = scramble(6 * n + 3);
  order.quantityLo = scramble(6 * n + 4);
  order.quantityHi = scramble(6 * n + 5);
  order.side = n & 1;
  encodeOrder(view, offset + PAYLOAD_OFFSET, order);
  template.write(view, offset, ORDER_LEN);
}
