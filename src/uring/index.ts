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
 * Not here yet: the operations by name, buffers, servers.
 *
 * References: linux/io_uring.h; io_uring(7), io_uring_setup(2), io_uring_enter(2); J. Axboe, "Efficient IO with io_uring".
 */
export { CQE_WORDS, SQE_WORDS, Uring } from './ring.ts';
export type { TaskRun, UringSetup } from './setup.ts';
