import { Worker } from 'node:worker_threads';
import { siblingUrl } from '../../lane/index.ts';
import type { RunningReceiver } from '../receiveOrders.ts';
import { DEFAULT_MAX_ORDERS } from '../receiveOrders.ts';
import { ReceiverPage } from '../receiverPage.ts';
import type { DgramReceiverData, DgramReceiverMessage } from './dgramReceiver.ts';
import { dropsAt } from './kernelDrops.ts';

/** Starts the control: the same decoder, book and counters behind node:dgram, on the event loop of a worker. */
export async function startDgram(
  address: string,
  udpPort: number,
  netns: string | undefined,
): Promise<RunningReceiver> {
  const page = ReceiverPage.create();
  const data: DgramReceiverData = { netns, address, udpPort, pageFd: page.fd, maxOrders: DEFAULT_MAX_ORDERS };
  const worker = new Worker(siblingUrl(import.meta.url, './dgramReceiver'), {
    workerData: data,
    name: 'dgram',
  });
  const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => {});
  worker.once('error', reject);
  const ready = new Promise<{ udpPort: number; tid: number }>((resolve) => {
    worker.on('message', (message: DgramReceiverMessage) => {
      if (message.kind === 'ready') resolve(message);
      else reject(message.error);
    });
  });
  const stop = async (): Promise<void> => {
    worker.postMessage('stop');
    await gone;
  };
  try {
    const { udpPort: bound, tid } = await Promise.race([ready, failed]);
    const mode = 'node:dgram on an event loop';
    // Counted by this thread, so that the one that is measured does nothing that a Node program would not.
    const dropped = (): number => dropsAt(tid, address, bound);
    return {
      report: { via: 'dgram', accelerated: false, mode, reasons: [], udpPort: bound },
      failed,
      read: () => ({ ...page.read(), dropped: dropped() }),
      clear: () => page.clear(),
      stop: async () => {
        const drops = { receiveBufferFull: dropped() };
        await stop();
        return drops;
      },
      [Symbol.asyncDispose]: async () => {
        await stop();
        page.close();
      },
    };
  } catch (error) {
    await worker.terminate();
    page.close();
    throw error;
  }
}
