import { Worker } from 'node:worker_threads';
import { siblingUrl } from '../../lane/index.ts';
import type { RunningReceiver } from '../receiveOrders.ts';
import { DEFAULT_MAX_ORDERS } from '../receiveOrders.ts';
import { ReceiverPage } from '../receiverPage.ts';
import type { DgramReceiverData, DgramReceiverMessage } from './dgramReceiver.ts';

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
  const ready = new Promise<number>((resolve) => {
    worker.on('message', (message: DgramReceiverMessage) => {
      if (message.kind === 'ready') resolve(message.udpPort);
      else reject(message.error);
    });
  });
  const stop = async (): Promise<Record<string, number>> => {
    worker.postMessage('stop');
    await gone;
    return {};
  };
  try {
    const bound = await Promise.race([ready, failed]);
    const mode = 'node:dgram on an event loop';
    return {
      report: { via: 'dgram', accelerated: false, mode, reasons: [], udpPort: bound },
      failed,
      read: () => page.read(),
      stop,
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
