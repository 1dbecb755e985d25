import { isMainThread } from 'node:worker_threads';
import koffi from 'koffi';
import { hasSymbol } from './libc.ts';

/**
 * The part of libuv that watches a descriptor, as found in this process. A handle is the ptr of a uv_poll_t.
 *
 * The event loop itself polls: nothing is called, and no time is spent, while nothing happens.
 *
 * @source uv_poll_t in libuv's documentation
 */
export interface UvPoll {
  /**
   * Makes a handle for a descriptor, which is set non-blocking and has to stay open until {@link UvPoll.close}.
   *
   * NB: `onEvent` runs outside Node's callback scope: process.nextTick() and promises that settle there wait until
   * something else wakes the loop (seen: 36 ms), and what it throws is lost. It is there to call setImmediate(), whose
   * callback runs in the same turn of the loop, in a scope of its own.
   *
   * @param onEvent - called in every turn of the loop in which the descriptor is ready, from {@link UvPoll.start} on
   * to {@link UvPoll.stop}; `failed` when it has an error pending, which also stops the handle
   * @returns the handle, or a negative errno: EEXIST when the loop has a handle for the descriptor, EPERM for a file
   */
  open(fd: number, onEvent: (failed: boolean) => void): number;
  /** Begins to watch; the loop lives on meanwhile, unless {@link UvPoll.unref} was called. Idempotent. */
  start(handle: number): void;
  /** Stops watching. Idempotent. */
  stop(handle: number): void;
  /** Lets the loop live for this handle while it is started. Idempotent. */
  ref(handle: number): void;
  /** Lets the loop end although this handle is started. Idempotent. */
  unref(handle: number): void;
  /** Stops watching; the descriptor may be closed at once, libuv frees the handle later. Once only. */
  close(handle: number): void;
}

/** From uv_handle_type and uv_poll_event in uv.h, which are part of libuv's binary interface. */
const UV_POLL = 8;
const UV_READABLE = 1;

const ENOMEM = 12;

const SYMBOLS: readonly string[] = [
  'uv_default_loop',
  'uv_handle_type_name',
  'uv_handle_size',
  'uv_poll_init',
  'uv_poll_start',
  'uv_poll_stop',
  'uv_ref',
  'uv_unref',
  'uv_close',
];

let found: UvPoll | string | undefined;

/**
 * Finds libuv in the node binary, or beside it when that was built to share one.
 *
 * @returns its functions, or why they cannot be used: no symbols, another libuv, or a thread that is not the main one,
 * since only the main thread's loop can be asked for
 */
export function loadUvPoll(): UvPoll | string {
  found ??= bindUvPoll();
  return found;
}

function bindUvPoll(): UvPoll | string {
  if (!isMainThread) return 'only the main thread has an event loop that libuv tells of';
  const missing = SYMBOLS.find((symbol) => !hasSymbol(symbol));
  if (missing !== undefined) return `this Node does not export ${missing} of libuv`;

  const process = koffi.load(null);
  const typeName: (type: number) => string = process.func('str uv_handle_type_name(int type)');
  if (typeName(UV_POLL) !== 'poll') return `handle type ${UV_POLL} of this libuv is ${typeName(UV_POLL)}`;

  const loop: number = process.func('intptr_t uv_default_loop()')();
  const size: number = process.func('size_t uv_handle_size(int type)')(UV_POLL);
  const calloc: (count: number, len: number) => number = process.func(
    'intptr_t calloc(size_t count, size_t len)',
  );
  const free: (ptr: number) => void = process.func('void free(intptr_t ptr)');
  const init: (loop: number, handle: number, fd: number) => number = process.func(
    'int uv_poll_init(intptr_t loop, intptr_t handle, int fd)',
  );
  const start: (handle: number, events: number, callback: number) => number = process.func(
    'int uv_poll_start(intptr_t handle, int events, intptr_t callback)',
  );
  const close: (handle: number, callback: number) => void = process.func(
    'void uv_close(intptr_t handle, intptr_t callback)',
  );

  // One callback serves all handles and is never unregistered, so that libuv never calls one that is gone.
  const listeners = new Map<number, (failed: boolean) => void>();
  const callback = Number(
    koffi.register(
      (handle: number, status: number) => listeners.get(handle)?.(status < 0),
      koffi.pointer(koffi.proto('void uv_poll_cb(intptr_t handle, int status, int events)')),
    ),
  );
  // The loop is done with a handle when it calls back, so free(3) itself is the callback: no JavaScript has to be there.
  const freePtr = Number(koffi.address(process.symbol('free')));

  return {
    open(fd, onEvent) {
      const handle = calloc(1, size);
      if (handle === 0) return -ENOMEM;
      const result = init(loop, handle, fd);
      if (result < 0) {
        free(handle);
        return result;
      }
      listeners.set(handle, onEvent);
      return handle;
    },
    start(handle) {
      start(handle, UV_READABLE, callback);
    },
    stop: process.func('int uv_poll_stop(intptr_t handle)'),
    ref: process.func('void uv_ref(intptr_t handle)'),
    unref: process.func('void uv_unref(intptr_t handle)'),
    close(handle) {
      listeners.delete(handle);
      close(handle, freePtr);
    },
  };
}
