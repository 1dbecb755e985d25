import { loadUvPoll } from '../ffi/index.ts';
import { LoopWatch } from './watchLoop.ts';
import { ThreadWatch } from './watchThread.ts';

/**
 * A watch of file descriptors by the event loop, which calls a function once each time it is asked to.
 *
 * Nothing runs while nothing arrives. Between two calls of {@link FdWatch.arm} the watch is silent, however much
 * arrives: who is busy is left alone.
 */
export interface FdWatch extends Disposable {
  /** who watches: the event loop itself, or a helper thread in poll(2) that posts a message to it */
  readonly via: 'uv_poll' | 'thread';
  /** why a helper thread; undefined for the loop itself */
  readonly reason: string | undefined;
  /**
   * Asks for one call of `onReadable`, as soon as a descriptor is readable or has an error; it may be so already.
   *
   * Keeps the process alive until then. Without effect while armed or closed.
   *
   * @throws SystemError, Error when a helper thread could not watch, of which `onReadable` was called to tell
   */
  arm(): void;
  /** Lets the process live while this is armed, as it does unless told otherwise. Idempotent. */
  ref(): void;
  /** Lets the process end while this is armed. Idempotent. */
  unref(): void;
  /** Ends the watch: `onReadable` is not called again, and the descriptors may be closed. Idempotent. */
  close(): void;
}

/** How to watch. */
export interface WatchOptions {
  /** `thread` takes the helper thread even where the loop itself can watch, as tests do; default `uv_poll` */
  readonly via?: 'uv_poll' | 'thread';
}

/**
 * Makes a watch of descriptors: call {@link FdWatch.arm} for the first call of `onReadable`, and for each one after it.
 *
 * Level-triggered: what arrived before arm() counts. `onReadable` runs as any callback of the event loop does: ticks and
 * promises that it leaves run right after it, and what it throws is an uncaught exception. The descriptors are set
 * non-blocking, stay the caller's, and have to stay open until the watch is closed. libuv watches on the main thread; a
 * worker, or a Node without libuv's symbols, gets a helper thread.
 *
 * @param fds - none of them watched already
 * @throws TypeError when there are none
 * @throws SystemError EEXIST for a descriptor that is watched already, EPERM for a file, EBADF for a closed one
 */
export function watchReadable(
  fds: readonly number[],
  onReadable: () => void,
  options: WatchOptions = {},
): FdWatch {
  if (fds.length === 0) throw new TypeError('Cannot watch: fds must name at least one descriptor, got none');
  const uv = options.via === 'thread' ? 'a helper thread was asked for' : loadUvPoll();
  return typeof uv === 'string' ? new ThreadWatch(fds, onReadable, uv) : new LoopWatch(fds, onReadable, uv);
}
