import type { AllocationCase } from '../../tools/allocationCase.ts';
import {
  mark,
  prepAccept,
  prepAcceptMultishot,
  prepBind,
  prepCancel,
  prepCancelAll,
  prepCancelFd,
  prepClose,
  prepConnect,
  prepFsync,
  prepLinkTimeout,
  prepListen,
  prepMsgRing,
  prepNop,
  prepPoll,
  prepPollMultishot,
  prepPollRemove,
  prepRead,
  prepRecv,
  prepRecvMultishot,
  prepRecvmsg,
  prepRecvmsgMultishot,
  prepSend,
  prepSendmsg,
  prepSendmsgZeroCopy,
  prepSendZeroCopy,
  prepShutdown,
  prepSocket,
  prepTimeout,
  prepTimeoutRemove,
  prepWrite,
  selectBuffer,
  Uring,
} from './index.ts';

/** No descriptor: everything fails at once, which costs the entries all the same. */
const FD = 999_999;
/** Above 2^32, as native addresses are. */
const PTR = 0x7f00_1234_5678;
const ENTRIES = 30;

const ring = new Uring({ entries: 64 });

function writeAll(lo: number): void {
  mark(ring, prepNop(ring, lo, 1), 0);
  prepAccept(ring, FD, 0, lo, 1);
  prepAcceptMultishot(ring, FD, 0, lo, 1);
  prepConnect(ring, FD, PTR, 16, lo, 1);
  selectBuffer(ring, prepRecv(ring, FD, PTR, 64, 0, lo, 1), 3);
  prepRecvMultishot(ring, FD, 3, 0, lo, 1);
  prepSend(ring, FD, PTR, 64, 0, lo, 1);
  prepSendZeroCopy(ring, FD, PTR, 64, 0, lo, 1);
  prepRecvmsg(ring, FD, PTR, 0, lo, 1);
  prepRecvmsgMultishot(ring, FD, PTR, 3, 0, lo, 1);
  prepSendmsg(ring, FD, PTR, 0, lo, 1);
  prepSendmsgZeroCopy(ring, FD, PTR, 0, lo, 1);
  prepRead(ring, FD, PTR, 64, -1, lo, 1);
  prepWrite(ring, FD, PTR, 64, 5, lo, 1);
  prepFsync(ring, FD, 0, lo, 1);
  prepClose(ring, FD, lo, 1);
  prepShutdown(ring, FD, 1, lo, 1);
  prepCancel(ring, 12, 34, lo, 1);
  prepCancelFd(ring, FD, lo, 1);
  prepCancelAll(ring, lo, 1);
  prepPoll(ring, FD, 1, lo, 1);
  prepPollMultishot(ring, FD, 1, lo, 1);
  prepPollRemove(ring, 12, 34, lo, 1);
  prepTimeout(ring, PTR, 0, 0, lo, 1);
  prepLinkTimeout(ring, PTR, 0, lo, 1);
  prepTimeoutRemove(ring, 12, 34, lo, 1);
  prepMsgRing(ring, FD, 1, 12, 34, lo, 1);
  prepSocket(ring, -1, 1, 0, lo, 1);
  prepBind(ring, FD, PTR, 16, lo, 1);
  prepListen(ring, FD, 16, lo, 1);
}

const cases: AllocationCase[] = [
  {
    name: 'an entry of every kind, written, submitted and refused',
    covers: [
      'mark',
      'selectBuffer',
      'prepNop',
      'prepAccept',
      'prepAcceptMultishot',
      'prepConnect',
      'prepRecv',
      'prepRecvMultishot',
      'prepSend',
      'prepSendZeroCopy',
      'prepRecvmsg',
      'prepRecvmsgMultishot',
      'prepSendmsg',
      'prepSendmsgZeroCopy',
      'prepRead',
      'prepWrite',
      'prepFsync',
      'prepClose',
      'prepShutdown',
      'prepCancel',
      'prepCancelFd',
      'prepCancelAll',
      'prepPoll',
      'prepPollMultishot',
      'prepPollRemove',
      'prepTimeout',
      'prepLinkTimeout',
      'prepTimeoutRemove',
      'prepMsgRing',
      'prepSocket',
      'prepBind',
      'prepListen',
      'prep',
      'withOffset',
      'withPriority',
      'withTarget',
    ],
    framesPerOperation: 64,
    run(count: number): void {
      for (let operation = 0; operation < count; operation++) {
        writeAll(operation & 0xff);
        ring.submit();
        let refused = 0;
        for (let count = ring.peek(); refused < ENTRIES; count = ring.peek()) {
          for (let i = 0; i < count; i++) if (ring.cqes[ring.slot(i) + 2]! <= 0) refused++;
          ring.release(count);
          if (count === 0) ring.submit();
        }
      }
    },
  },
];
export default cases;
