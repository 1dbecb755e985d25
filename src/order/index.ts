/**
 * order: from the payload of a datagram to a book of limit orders.
 *
 * - {@link OrderRecord}: one limit order; ids, prices and quantities are u64, kept as two int32 halves. Fixed point with
 *   8 decimals; {@link parseDecimal} and {@link formatDecimal} are for the edge, where people read them.
 * - {@link decodeOrder}, {@link encodeOrder}: the 25-byte wire form. The codec knows no port and no socket.
 * - {@link readOrderRecord}, {@link writeOrderRecord}: the same on a queue between threads, with its times.
 * - {@link OrderBook}, {@link TradeSink}: price-time matching, see book/index.ts.
 *
 * Invariants: whatever is refused has a code in {@link OrderError}, 0 or more means taken, and codec and book share the
 * one table, so that counters indexed by the negated code explain every payload. Hot functions allocate nothing, throw
 * nothing and use no BigInt. Times are CLOCK_MONOTONIC in ns, NaN when unknown.
 *
 * - {@link Source}: yields payloads to a {@link PayloadHandler}: {@link PortSource} the frames of any port,
 *   {@link UdpSource} a kernel socket; {@link openSource} takes a spec string. Decoders know no source.
 * - {@link OrderReceiver}: payloads to orders, counted and measured on a {@link ReceiverPage}; to an
 *   {@link OrderHandler}: {@link BookHandler} on the same lane, or {@link QueueHandler} and {@link QueueReader} across
 *   threads. {@link receiveOrders} runs it all on a lane.
 *
 * It does not answer orders, know owners or several symbols, or keep anything on disk.
 *
 * References: docs/architecture.md, "Life of a packet".
 */
export {
  MAX_ORDERS,
  MAX_TRADES,
  OrderBook,
  type OrderBookSpec,
  PriceLevel,
  Trade,
  TradeSink,
} from './book/index.ts';
export { BookHandler, type TradeListener } from './bookHandler.ts';
export { createBook } from './createBook.ts';
export { formatDecimal, highHalf, joinHalves, lowHalf, parseDecimal } from './decimal.ts';
export { type OpenSourceOptions, openSource } from './openSource.ts';
export {
  OrderError,
  type OrderErrorName,
  OrderRecord,
  orderErrorHelp,
  orderErrorNames,
  Side,
} from './order.ts';
export { type OrderHandler, OrderReceiver } from './orderReceiver.ts';
export { PortSource, type PortSourceSpec } from './portSource.ts';
export {
  decodeIntendedTime,
  decodeOrder,
  encodeIntendedTime,
  encodeOrder,
  ORDER_LEN,
  ORDER_RECORD_LEN,
  OrderRecordOffset,
  readOrderRecord,
  STAMPED_ORDER_LEN,
  writeOrderRecord,
} from './protocol.ts';
export { QueueHandler, QueueReader } from './queueHandler.ts';
export { type ReceiveOrdersSpec, type RunningReceiver, receiveOrders } from './receiveOrders.ts';
export { type LatencyReading, ReceiverPage, type ReceiverReading } from './receiverPage.ts';
export type { PayloadHandler, Source, SourceReport } from './source.ts';
export { UdpSource, type UdpSourceSpec } from './udpSource.ts';
