import { siblingUrl } from '../../src/lane/siblingUrl.ts';
import type { BenchCase } from '../harness/benchCase.ts';
import { Isolate } from '../harness/isolate.ts';

const TARGET = { op: '<', value: 0.1 } as const;

/** The data path does not allocate: what V8 counts between 10^7 and 4 * 10^7 operations. */
export const alloc: BenchCase = {
  name: 'alloc',
  about: 'heap bytes per packet (loop port, source, receiver, queue) and per operation of the order book',
  kind: 'micro',
  async run(context) {
    const packet: number[] = [];
    const book: number[] = [];
    for await (const _ of context.rounds(3)) {
      packet.push(await bytesPerOperation('./allocPacket'));
      book.push(await bytesPerOperation('./allocBook'));
    }
    return [
      { figure: 'packet', unit: 'bytes', ours: packet, target: TARGET },
      { figure: 'book operation', unit: 'bytes', ours: book, target: TARGET },
    ];
  },
};

/** Asks a new isolate, which has run nothing else and measures itself. */
async function bytesPerOperation(module: string): Promise<number> {
  await using isolate = new Isolate<null, number>(siblingUrl(import.meta.url, module));
  return await isolate.ask(null);
}
