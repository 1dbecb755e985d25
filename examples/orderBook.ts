// Puts limit orders into a book and takes its trades out: decoded from their 25 bytes on the wire, matched by price, then
// time. Needs no privileges.
//
//   node bin/launch.js examples/orderBook.ts
import {
  decodeOrder,
  encodeOrder,
  formatDecimal,
  ORDER_LEN,
  OrderBook,
  OrderRecord,
  orderErrorNames,
  PriceLevel,
  parseDecimal,
  Side,
  Trade,
  TradeSink,
} from 'barewire/order';

// Everything is allocated here, once; no operation of the book allocates.
const trades = new TradeSink(1024);
const book = new OrderBook({ maxOrders: 10_000, maxLevels: 1_000, trades });
const wire = new DataView(new ArrayBuffer(ORDER_LEN));
const order = new OrderRecord();
const trade = new Trade();

submit(1n, Side.sell, '101.25', '300');
submit(2n, Side.sell, '101.00', '200');
submit(3n, Side.sell, '101.00', '50');
submit(4n, Side.buy, '100.50', '120');
submit(5n, Side.buy, '101.10', '220.5'); // meets the asks at 101: first order 2, then order 3
submit(5n, Side.buy, '99', '0'); // refused, and nothing has changed
console.log(`cancel 4: ${orderErrorNames[-book.cancel(4, 0)]}`);
console.log(`cancel 4: ${orderErrorNames[-book.cancel(4, 0)]}`);

for (const side of [Side.sell, Side.buy]) {
  const levels = Array.from({ length: 5 }, () => new PriceLevel());
  const count = book.depth(side, levels);
  for (const { price, quantity, orders } of levels.slice(0, count)) {
    console.log(
      `${side === Side.buy ? 'bid' : 'ask'} ${formatDecimal(price)}: ${formatDecimal(quantity)} in ${orders}`,
    );
  }
}

/** Sends an order through its wire form, as if a datagram had brought it. */
function submit(id: bigint, side: Side, price: string, quantity: string): void {
  const outgoing = new OrderRecord();
  Object.assign(outgoing, { id, side, price: parseDecimal(price), quantity: parseDecimal(quantity) });
  encodeOrder(wire, 0, outgoing);

  let code = decodeOrder(wire, 0, wire.byteLength, order);
  if (code === 0) code = book.submit(order);
  console.log(code < 0 ? `order ${id}: ${orderErrorNames[-code]}` : `order ${id}: ${code} trades`);
  while (trades.take(trade)) {
    console.log(`  ${formatDecimal(trade.quantity)} at ${formatDecimal(trade.price)} with ${trade.makerId}`);
  }
}
