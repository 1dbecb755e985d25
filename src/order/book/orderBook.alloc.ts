import type { AllocationCase } from '../../../tools/allocationCase.ts';
import { BookHandler } from '../bookHandler.ts';
import { OrderRecord } from '../order.ts';
import { ReceiverPage, TRADES } from '../receiverPage.ts';
import { OrderBook } from './orderBook.ts';
import { PriceLevel } from './priceLevel.ts';
import { type Trade, TradeSink } from './tradeSink.ts';

const RESTING = 1000;
const trades = new TradeSink(64);
const book = new OrderBook({ maxOrders: 4096, trades });
const { values } = ReceiverPage.create();
let told = 0;
const onTrade = (trade: Trade): void => {
  told += 1 + (trade.quantityHi & 0);
};
const handler = new BookHandler(book, trades, values, onTrade);
const order = new OrderRecord();
const levels = Array.from({ length: 5 }, () => new PriceLevel());
let id = 0;

/**
 * An order near the middle of the u64 range, where every half is beyond int32; half of them cross.
 *
 * Prices are so many that most orders rest alone on theirs: levels come and go all the time.
 */
function prepare(): void {
  id = (id + 1) | 0;
  const random = Math.imul(id, 0x9e37_79b1) >>> 8;
  order.idLo = id;
  order.idHi = ~id;
  order.side = random & 1;
  order.priceLo = (random >>> 1) & 4095;
  order.priceHi = 0x8000_0000 | 0;
  order.quantityLo = (random >>> 8) | 1;
  order.quantityHi = (random & 3) === 0 ? -1 : 0;
}

const cases: AllocationCase[] = [
  {
    name: 'a book: submit or cancel, match and look, 1,000 resting orders',
    covers: [
      'BookHandler.onOrder',
      'BookHandler.onBurstEnd',
      'OrderBook.submit',
      'OrderBook.cancel',
      'OrderBook.resting',
      'OrderBook.bestBid',
      'OrderBook.bestAsk',
      'OrderBook.levelCount',
      'OrderBook.depth',
      'TradeSink.push',
      'TradeSink.take',
      'TradeSink.count',
      'Levels.best',
      'Levels.count',
      'Levels.crosses',
      'Levels.at',
      'Levels.append',
      'Levels.remove',
      'Levels.reduce',
      'Levels.tradesFit',
      'Levels.read',
      'PriceTree.best',
      'PriceTree.add',
      'PriceTree.remove',
      'U64Table.find',
      'U64Table.insert',
      'U64Table.remove',
      'Slab.take',
      'Slab.give',
      'Slab.count',
      'Slab.full',
      'isBelow',
    ],
    run(count: number): void {
      told = 0;
      const before = values[TRADES]!;
      // An operation is an order or a cancel.
      for (let i = 0; i < count; i += 2) {
        prepare();
        handler.onOrder(order);
        book.cancel(id - RESTING, ~(id - RESTING));
        if ((i & 31) !== 0) continue;
        handler.onBurstEnd();
        book.bestBid(levels[0]!);
        book.bestAsk(levels[0]!);
        if (book.resting > 0 && book.levelCount(0) > 0) book.depth(0, levels, 5);
      }
      handler.onBurstEnd();
      if (told === 0 || told !== values[TRADES]! - before) throw new Error('trades were lost');
    },
  },
];
export default cases;
