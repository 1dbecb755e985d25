/**
 * io_uring: operations of the kernel through rings that it shares with us, with one system call for many.
 *
 * Job: the ring itself. {@link Uring} is set up in the cheapest way that the kernel has, and says which; entries are
 * written into its memory, completions read out of it.
 *
 * Data: the submission entries and the completions are typed arrays over mapped memory; a u64 is two of their words.
 *
 * Invariants
 * - An entry that {@link Uring.next} handed out is submitted with the next submit(), in order.
 * - A completion that does not fit is kept by the kernel, counted, and brought by the next submit().
 * - One thread makes a ring and drives it.
 *
 * - A `prep…` function returns its entry, or -1 when the ring is full; what it names lives until the completion.
 *
 * Not here yet: direct descriptors, servers and clients.
 *
 * References: linux/io_uring.h; io_uring(7), io_uring_setup(2), io_uring_enter(2); J. Axboe, "Efficient IO with io_uring".
 */

export { BufferRing, type BufferRingSpec } from './bufferRing.ts';
export {
  prepCancel,
  prepCancelAll,
  prepCancelFd,
  prepLinkTimeout,
  prepMsgRing,
  prepPoll,
  prepPollMultishot,
  prepPollRemove,
  prepTimeout,
  prepTimeoutRemove,
} from './controlOperations.ts';
export { EntryFlags, mark, selectBuffer } from './entry.ts';
export { prepClose, prepFsync, prepNop, prepRead, prepWrite } from './fileOperations.ts';
export {
  type RegisteredBuffer,
  registerBuffers,
  registerEventfd,
  registerFiles,
  registerNapi,
  replaceFile,
  supportedOperations,
  type UringNapi,
  unregisterBuffers,
  unregisterFiles,
} from './registration.ts';
export { CQE_WORDS, SQE_WORDS, Uring } from './ring.ts';
export type { TaskRun, UringSetup } from './setup.ts';
export {
  prepAccept,
  prepAcceptMultishot,
  prepBind,
  prepConnect,
  prepListen,
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
} from './socketOperations.ts';
