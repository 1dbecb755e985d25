import type { AllocationCase } from '../../../tools/allocationCase.ts';
import { OrderRecord } from '../order.ts';
import { OrderFlow } from './orderFlow.ts';

const flow = new OrderFlow(1);
const order = new OrderRecord();

const cases: AllocationCase[] = [
  {
    name: 'OrderFlow',
    covers: ['OrderFlow.next'],
    run(count: number): void {
      const before = order.idLo;
      for (let i = 0; i < count; i++) flow.next(order);
      if (order.idLo !== ((before + count) | 0)) throw new Error('orders were left out');
    },
  },
];
export default cases;
