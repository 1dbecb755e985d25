// The worker that receives the same flow through node:dgram, as a Node program would without Barewire: an event loop, a
// Buffer per datagram. Decoder, book and counters are the same, so the difference is the way in.
import { createSocket } from 'node:dgram';
import { readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { NetworkNamespace, nowNs } from '../../sys/index.ts';
import { createBook } from '../createBook.ts';
import { OrderReceiver } from '../orderReceiver.ts';
import { ReceiverPage } from '../receiverPage.ts';

/** What the worker is given. */
export interface DgramReceiverData {
  /** network namespace to receive in; the process's own when absent */
  readonly netns: string | undefined;
  readonly address: string;
  /** 0 for any free one */
  readonly udpPort: number;
  /** descriptor of the counters page */
  readonly pageFd: number;
  readonly maxOrders: number;
}

/** What the worker says: the port it is bound to and the kernel's number of its thread, or what went wrong. */
export type DgramReceiverMessage =
  | { readonly kind: 'ready'; readonly udpPort: number; readonly tid: number }
  | { readonly kind: 'failed'; readonly error: Error };

const RECEIVE_BUFFER_LEN = 4 << 20;

const { netns, address, udpPort, pageFd, maxOrders } = workerData as DgramReceiverData;
if (netns !== undefined) {
  using namespace = NetworkNamespace.open(netns);
  // For good: libuv makes the socket on this thread, later, inside bind().
  namespace.enter();
}
const page = ReceiverPage.open(pageFd);
const receiver = new OrderReceiver(createBook(maxOrders, page.values), page);
const stampNs = new Float64Array(1);
const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_LEN });

socket.on('message', (message) => {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  stampNs[0] = nowNs();
  receiver.onPayload(view, 0, message.byteLength, stampNs);
  receiver.onBurstEnd();
});
socket.on('error', (error) => {
  tell({ kind: 'failed', error });
  socket.close();
});
socket.bind(udpPort, address, () => {
  const tid = Number(basename(readlinkSync('/proc/thread-self')));
  tell({ kind: 'ready', udpPort: socket.address().port, tid });
});
parentPort!.once('message', () => {
  socket.close();
  page.close();
  parentPort!.close();
});

function tell(message: DgramReceiverMessage): void {
  parentPort!.postMessage(message);
}
