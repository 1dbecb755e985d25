import type { AllocationCase } from '../../tools/allocationCase.ts';
import { UdpSocket } from '../sys/index.ts';
import type { PayloadHandler } from './source.ts';
import { UdpSource } from './udpSource.ts';

let received = 0;

const answering: PayloadHandler = {
  onPayload(view, offset, len, stampNs) {
    if (stampNs[0]! > 0) received++;
    source.replyView.setUint32(source.reply(len), view.getUint32(offset, true), true);
  },
  onBurstEnd() {
    source.flush();
  },
};
const source = new UdpSource(answering, { address: '127.0.0.1', port: 0 });
const client = new UdpSocket({
  address: '127.0.0.1',
  peer: { address: '127.0.0.1', port: source.udpPort },
});

const cases: AllocationCase[] = [
  {
    name: 'a datagram through a UDP source, answered',
    covers: ['UdpSource.poll', 'UdpSource.reply', 'UdpSource.flush'],
    // Its system calls are those that a lane makes once a burst.
    framesPerOperation: 64,
    run(count: number): void {
      received = 0;
      for (let i = 0; i < count; i++) {
        client.sendView.setUint32(client.reserve(25), i, true);
        client.flush();
        source.poll(64);
        if (client.receive(64) !== 1) throw new Error('an answer was lost');
      }
      if (received !== count) throw new Error('datagrams were lost');
    },
  },
];
export default cases;
