import type { AllocationCase } from '../../tools/allocationCase.ts';
import { bind, connect, errno, getsockname, recvfromPtr, sendtoPtr, socket } from './libc.ts';
import { addressOf } from './memory.ts';

// The functions that no other layer calls for every burst without privileges; the others are measured where they are used.

const AF_INET = 2;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;
const EAGAIN = 11;

/** A UDP socket whose peer is itself. [struct sockaddr_in: family, port, address, 8 bytes zero] */
const own = Uint8Array.of(AF_INET, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
const fd = socket(AF_INET, SOCK_DGRAM, 0);
const opened =
  bind(fd, own, own.length) === 0 &&
  getsockname(fd, own, Uint32Array.of(own.length)) === 0 &&
  connect(fd, own, own.length) === 0;
if (!opened) throw new Error(`Cannot open UDP socket on loopback: errno ${errno()}`);

const message = new Uint32Array(16);
const ptr = addressOf(message);

const cases: AllocationCase[] = [
  {
    name: 'a message to oneself, and a look for another',
    covers: ['sendtoPtr', 'recvfromPtr'],
    framesPerOperation: 64,
    run(count: number): void {
      for (let i = 0; i < count; i++) {
        message[0] = i;
        const sent = sendtoPtr(fd, ptr, 25, MSG_DONTWAIT, 0, 0);
        const received = recvfromPtr(fd, ptr, 64, MSG_DONTWAIT, 0, 0);
        const none = recvfromPtr(fd, ptr, 64, MSG_DONTWAIT, 0, 0);
        if (sent !== 25 || received !== 25 || none !== -1 || errno() !== EAGAIN || message[0] !== i)
          throw new Error('a message was lost');
      }
    },
  },
];
export default cases;
