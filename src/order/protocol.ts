import { OrderError, type OrderRecord } from './order.ts';

// An order on the wire, little-endian, and behind it what Barewire's own order source adds:
//
//   byte   0         8         16         24     25               33
//          +---------+---------+----------+------+----------------+-- … --+
//          | id u64  |price u64|quantity  | side | intendedNs u64 | ignored |
//          |         |         |      u64 |  u8  |   (optional)   |       |
//          +---------+---------+----------+------+----------------+-- … --+
//
// A record on a queue between threads starts with the same 25 bytes; its times are aligned f64:
//
//   byte   0         8         16         24     25     32           40             48
//          +---------+---------+----------+------+------+------------+--------------+
//          | id u64  |price u64|quantity  | side | zero |  rxNs f64  |intendedNs f64|
//          +---------+---------+----------+------+------+------------+--------------+

/** Size of an order on the wire; a payload may be longer [bytes]. */
export const ORDER_LEN: number = 25;

/** Size of an order with the intended send time behind it [bytes]. */
export const STAMPED_ORDER_LEN: number = 33;

/** Size of an order as a record on a queue, a multiple of 8 [bytes]. */
export const ORDER_RECORD_LEN: number = 48;

// measured: literals in constants of the module are folded; a property of an object, or a constant taken from one, is
// loaded at each use, which costs a whole packet of `bench ingest` 5 ns.
const ID = 0;
const PRICE = 8;
const QUANTITY = 16;
const SIDE = 24;
const INTENDED = 25;
const RX_NS = 32;
const INTENDED_NS = 40;

/** Where the fields of an order stand in a record on a queue; u64 fields low half first [bytes]. */
export const OrderRecordOffset: Readonly<
  Record<'id' | 'price' | 'quantity' | 'side' | 'rxNs' | 'intendedNs', number>
> = {
  id: ID,
  price: PRICE,
  quantity: QUANTITY,
  side: SIDE,
  rxNs: RX_NS,
  intendedNs: INTENDED_NS,
};

/**
 * Reads the order at the start of a payload.
 *
 * Bytes behind the 25 are ignored. Quantities and prices are not judged here: any u64 is well-formed, and the book
 * refuses a quantity of 0. The times of `out` are left alone, and so is all of it when the order is refused.
 *
 * @param view - the memory that the payload lies in; the caller has checked that `len` bytes are there
 * @param offset - where the payload starts [bytes]
 * @param len - of the payload [bytes]
 * @returns 0, or a negative {@link OrderError}: `tooShort`, `badSide`
 * @hot
 */
export function decodeOrder(view: DataView, offset: number, len: number, out: OrderRecord): number {
  if (len < ORDER_LEN) return OrderError.tooShort;
  if (view.getUint8(offset + SIDE) > 1) return OrderError.badSide;
  readFields(view, offset, out);
  return 0;
}

/**
 * Writes an order in its wire form, 25 bytes.
 *
 * @param offset - where the payload starts; the view must have 25 bytes from there [bytes]
 * @hot
 */
export function encodeOrder(view: DataView, offset: number, order: OrderRecord): void {
  view.setInt32(offset + ID, order.idLo, true);
  view.setInt32(offset + ID + 4, order.idHi, true);
  view.setInt32(offset + PRICE, order.priceLo, true);
  view.setInt32(offset + PRICE + 4, order.priceHi, true);
  view.setInt32(offset + QUANTITY, order.quantityLo, true);
  view.setInt32(offset + QUANTITY + 4, order.quantityHi, true);
  view.setUint8(offset + SIDE, order.side);
}

/**
 * Reads the intended send time behind an order into `out.intendedNs`; NaN when the payload ends before.
 *
 * Exact below 2^53 ns (104 days of uptime), to 2 ns below 2^54.
 *
 * @param offset - where the payload, not the time, starts [bytes]
 * @param len - of the payload [bytes]
 * @hot
 */
export function decodeIntendedTime(view: DataView, offset: number, len: number, out: OrderRecord): void {
  if (len < STAMPED_ORDER_LEN) {
    out.intendedNs = Number.NaN;
    return;
  }
  const hi = view.getUint32(offset + INTENDED + 4, true);
  out.intendedNs = hi * 0x1_0000_0000 + view.getUint32(offset + INTENDED, true);
}

/**
 * Writes the intended send time of `order` as a u64 behind the 25 bytes of an order.
 *
 * @param offset - where the payload, not the time, starts; the view must have 33 bytes from there [bytes]
 * @param order - its `intendedNs` is written, rounded down; at least 0 and below 2^53
 * @hot
 */
export function encodeIntendedTime(view: DataView, offset: number, order: OrderRecord): void {
  const timeNs = order.intendedNs;
  // NB: setUint32 takes a number modulo 2^32 itself.
  view.setUint32(offset + INTENDED, timeNs, true);
  view.setUint32(offset + INTENDED + 4, timeNs / 0x1_0000_0000, true);
}

/**
 * Reads a record of a queue, times included, written by {@link writeOrderRecord}.
 *
 * @param words - the memory that `view` shows, as `SpscConsumer.i32` and `SpscConsumer.view` do
 * @param offset - where the record starts, a multiple of 8 [bytes]
 * @hot
 */
export function readOrderRecord(view: DataView, words: Int32Array, offset: number, out: OrderRecord): void {
  // measured: `bench ingest`, a whole packet: words through an Int32Array both ways 41.6 ns, through a Uint32Array 48,
  // all through the view 49, the times through a Float64Array as well 48.
  const at = offset >>> 2;
  out.idLo = words[at]!;
  out.idHi = words[at + 1]!;
  out.priceLo = words[at + 2]!;
  out.priceHi = words[at + 3]!;
  out.quantityLo = words[at + 4]!;
  out.quantityHi = words[at + 5]!;
  out.side = words[at + 6]! & 0xff;
  out.rxNs = view.getFloat64(offset + RX_NS, true);
  out.intendedNs = view.getFloat64(offset + INTENDED_NS, true);
}

/**
 * Writes all of an order as a record of a queue, {@link ORDER_RECORD_LEN} bytes.
 *
 * @param words - the memory that `view` shows, as `SpscProducer.i32` and `SpscProducer.view` do
 * @param offset - where the record starts, a multiple of 8 [bytes]
 * @hot
 */
export function writeOrderRecord(
  view: DataView,
  words: Int32Array,
  offset: number,
  order: OrderRecord,
): void {
  const at = offset >>> 2;
  words[at] = order.idLo;
  words[at + 1] = order.idHi;
  words[at + 2] = order.priceLo;
  words[at + 3] = order.priceHi;
  words[at + 4] = order.quantityLo;
  words[at + 5] = order.quantityHi;
  words[at + 6] = order.side;
  words[at + 7] = 0;
  view.setFloat64(offset + RX_NS, order.rxNs, true);
  view.setFloat64(offset + INTENDED_NS, order.intendedNs, true);
}

function readFields(view: DataView, offset: number, out: OrderRecord): void {
  out.idLo = view.getInt32(offset + ID, true);
  out.idHi = view.getInt32(offset + ID + 4, true);
  out.priceLo = view.getInt32(offset + PRICE, true);
  out.priceHi = view.getInt32(offset + PRICE + 4, true);
  out.quantityLo = view.getInt32(offset + QUANTITY, true);
  out.quantityHi = view.getInt32(offset + QUANTITY + 4, true);
  out.side = view.getUint8(offset + SIDE);
}
