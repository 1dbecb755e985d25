/**
 * L0: the only importer of the FFI library.
 *
 * Job: give the layers above libc's functions with exact signatures, errno, native memory as ArrayBuffers, and the
 * watch of descriptors by the event loop, whose libuv is in the node binary.
 *
 * Data: none of its own. A native address is a plain number, called `ptr`; memory handed to a call is a typed array.
 *
 * Invariants
 * - A call costs 70 to 120 ns over what the kernel takes; hot code makes one per burst at most, and uses the `…Ptr`
 *   forms, which take numbers only.
 * - `errno()` belongs to the calling thread and to the call just made: read it before any other call.
 * - Nothing here throws for a failed system call; `sys/` turns -1 into a SystemError with subject and hint.
 *
 * Not here: constants and structs of the kernel (`sys/uapi`), ownership of fds and mappings (`sys/`).
 *
 * References: koffi's and libuv's documentation; the manual pages named beside each function.
 */
import * as libc from './libc.ts';

export type { Memory } from './libc.ts';
export { addressOf, detachView, stringAt, viewOf } from './memory.ts';
export type { UvPoll } from './uv.ts';
export { loadUvPoll } from './uv.ts';
export { libc };
