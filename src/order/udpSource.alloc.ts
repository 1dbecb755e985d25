import type { AllocationCase } from '../../tools/allocationCase.ts';
import { UdpSocket } from '../sys/index.ts';
import type { PayloadHandler } from './source.ts';
import { UdpSource } from './udpSource.ts';

let received = 0;

/** A source that answers, and a client of it. */
class Exchange {
  readonly #source: UdpSource;
  readonly #client: UdpSocket;

  constructor() {
    const handler: PayloadHandler = {
      onPayload: (view, offset, len, stampNs) => {
        if (stampNs[0]! > 0) received++;
        const { replyView } = this.#source;
        replyView.setUint32(this.#source.reply(len), view.getUint32(offset, true), true);
      },
      onBurstEnd() {},
    };
    this.#source = new UdpSource(handler, { address: '127.0.0.1', port: 0 });
    const peer = { address: '127.0.0.1', port: this.#source.udpPort };
    this.#client = new UdpSocket({ address: '127.0.0.1', peer });
  }

  /** Sends a datagram and waits for its answer; the last look finds nothing, and asks for errno. */
  call(i: number): void {
    const client = this.#client;
    client.sendView.setUint32(client.reserve(25), i, true);
    client.flush();
    this.#source.poll(64);
    const n = client.receive(64);
    if (n !== 1 || client.view.getUint32(client.offset[0]!, true) !== i)
      throw new Error('an answer was lost');
    if (client.receive(64) !== 0) throw new Error('an answer came twice');
  }
}

// Two, in turns: of an object that is the only one of its class, V8 folds the fields into the code.
const exchanges = [new Exchange(), new Exchange()];

const socket = ['receive', 'reply', 'reserve', 'flush'].map((name) => `sys/UdpSocket.${name}`);
const slots = ['receivedLen', 'receivedFlags', 'setLen', 'copyName'].map(
  (name) => `sys/DatagramSlots.${name}`,
);

const cases: AllocationCase[] = [
  {
    name: 'a datagram through a UDP source, answered',
    covers: [
      'UdpSource.poll',
      'UdpSource.reply',
      'UdpSource.flush',
      ...socket,
      ...slots,
      'sys/softErrno',
      'ffi/recvmmsgPtr',
      'ffi/sendmmsgPtr',
    ],
    // Its system calls are those that a lane makes once a burst.
    framesPerOperation: 64,
    run(count: number): void {
      received = 0;
      for (let i = 0; i < count; i++) exchanges[i & 1]!.call(i);
      if (received !== count) throw new Error('datagrams were lost');
    },
  },
];
export default cases;
