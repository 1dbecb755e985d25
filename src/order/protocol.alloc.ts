import type { AllocationCase } from '../../tools/allocationCase.ts';
import { OrderRecord } from './order.ts';
import {
  decodeIntendedTime,
  decodeOrder,
  encodeIntendedTime,
  encodeOrder,
  ORDER_RECORD_LEN,
  readOrderRecord,
  STAMPED_ORDER_LEN,
  writeOrderRecord,
} from './protocol.ts';

const view = new DataView(new ArrayBuffer(64 + ORDER_RECORD_LEN));
const words = new Int32Array(view.buffer);
const order = new OrderRecord();
const copy = new OrderRecord();

const cases: AllocationCase[] = [
  {
    name: 'order to payload, to record on a queue, and back; halves and times beyond int32',
    covers: [
      'encodeOrder',
      'encodeIntendedTime',
      'decodeOrder',
      'decodeIntendedTime',
      'writeOrderRecord',
      'readOrderRecord',
    ],
    run(count: number): void {
      for (let i = 0; i < count; i++) {
        order.idLo = Math.imul(i, 0x9e37_79b1);
        order.priceHi = ~i;
        order.intendedNs = 2 ** 50 + i;
        encodeOrder(view, 1, order);
        encodeIntendedTime(view, 1, order);
        decodeOrder(view, 1, STAMPED_ORDER_LEN, copy);
        decodeIntendedTime(view, 1, STAMPED_ORDER_LEN, copy);
        copy.rxNs = 2 ** 50 + 2 * i;
        writeOrderRecord(view, words, 64, copy);
        readOrderRecord(view, words, 64, order);
      }
    },
  },
];
export default cases;
