import { EventEmitter } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Burst, type BurstOptions } from '../core/index.ts';
import { type FdWatch, watchReadable } from '../sys/index.ts';
import type { Port } from './port.ts';

/** How to watch a port. */
export interface WatchPortOptions extends BurstOptions {
  /** most descriptors of a burst; default 64 */
  readonly burst?: number;
  /** `thread` takes a helper thread even where the event loop itself can watch, as tests do */
  readonly via?: 'uv_poll' | 'thread';
}

/** What a {@link PortWatch} emits. */
export interface PortWatchEvents {
  burst: [burst: Burst];
  /** the port will never receive again, as at the end of a file; the watch closes itself */
  end: [];
  error: [error: unknown];
  close: [];
}

/** After so many bursts without a pause the event loop gets its turn: timers and sockets are not to starve. */
const BURSTS_A_TURN = 32;

/** How long to wait for what no descriptor tells of: room to send, or frames of a port without descriptors. [ms] */
const UNTOLD_MS = 1;

/** How often a quiet port is asked whether it is still there: poll(2) does not tell that an interface was removed. [ms] */
const ALIVE_MS = 500;

/**
 * Frames of a port for a program on the event loop: `for await (const burst of watch)`, or `watch.on('burst', …)`.
 *
 * Each burst is one and the same object, filled anew. Its frames are the consumer's until the next burst is asked for, or
 * the listeners have returned; what is then left in it is recycled. Who keeps or sends chunks takes them out first, with
 * `burst.dropPrefix(port.tx(burst))` or `burst.clear()`. A consumer that is slow is left alone: frames wait in the port.
 *
 * One consumer: an iterator, or listeners, which receive while there are any. The end of the port ends the watch: the
 * iteration is over, listeners get `end`. So does losing the interface: the iterator throws the port's SystemError,
 * listeners get it as `error`.
 *
 * The port stays its owner's, who closes the watch before it. While the watch waits, the process lives.
 */
export class PortWatch extends EventEmitter<PortWatchEvents> implements AsyncIterable<Burst>, Disposable {
  readonly port: Port;
  /** what wakes us: the event loop itself, a helper thread, or a look each millisecond at a port without descriptors */
  readonly via: 'uv_poll' | 'thread' | 'timer';
  /** why not the event loop itself; undefined when it is */
  readonly reason: string | undefined;
  readonly #burst: Burst;
  readonly #watch: FdWatch | undefined;
  readonly #aliveTimer: NodeJS.Timeout;
  #untoldTimer: NodeJS.Timeout | undefined;
  #consumer: 'iterator' | 'listeners' | undefined;
  /** continues the consumer that waits for frames */
  #resume: (() => void) | undefined;
  #delivering = false;
  #open = true;

  /** @throws RangeError, SystemError as {@link watchPort} */
  constructor(port: Port, options: WatchPortOptions = {}) {
    super();
    this.port = port;
    this.#burst = new Burst(options.burst ?? 64, options);
    if (port.fds.length > 0) this.#watch = watchReadable(port.fds, this.#wake, options);
    this.via = this.#watch?.via ?? 'timer';
    this.reason = this.#watch === undefined ? `${port.spec} has no descriptors` : this.#watch.reason;
    this.#aliveTimer = setInterval(this.#wake, ALIVE_MS).unref();
    super.on('newListener', (event) => {
      if (event === 'burst') this.#listen();
    });
  }

  /**
   * Iterates over bursts as they arrive; leaving the loop closes the watch, closing the watch ends the loop.
   *
   * @throws Error when the watch has a consumer already
   */
  [Symbol.asyncIterator](): AsyncGenerator<Burst, void, undefined> {
    if (this.#consumer !== undefined) throw this.#taken();
    this.#consumer = 'iterator';
    return this.#bursts();
  }

  /** Ends the watch and recycles what is left in the burst; `close` is emitted, an iteration ends. Idempotent. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    clearInterval(this.#aliveTimer);
    this.#watch?.close();
    this.#recycle();
    this.#wake();
    this.emit('close');
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async *#bursts(): AsyncGenerator<Burst, void, undefined> {
    try {
      for (let inTurn = 1; this.#open; inTurn++) {
        if (this.#receive()) {
          yield this.#burst;
          this.#recycle();
          if (inTurn < BURSTS_A_TURN) continue;
          await nextTurn();
        } else if (this.port.ended === true) {
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#resume = resolve;
          });
        }
        inTurn = 0;
      }
    } finally {
      this.close();
    }
  }

  #listen(): void {
    if (this.#consumer === 'iterator') throw this.#taken();
    this.#consumer = 'listeners';
    if (this.#delivering) return;
    this.#delivering = true;
    setImmediate(this.#deliver);
  }

  readonly #deliver = (): void => {
    for (let i = 0; i < BURSTS_A_TURN; i++) {
      this.#delivering = this.#open && this.listenerCount('burst') > 0;
      if (!this.#delivering) return;
      let received = false;
      try {
        received = this.#receive();
      } catch (error) {
        this.#finish(() => this.emit('error', error));
        return;
      }
      if (!received) {
        if (this.port.ended === true) this.#finish(() => this.emit('end'));
        else this.#resume = this.#deliver;
        return;
      }
      try {
        this.emit('burst', this.#burst);
      } catch (error) {
        setImmediate(this.#deliver); // as with any emitter, the next event is none of this exception's business
        throw error;
      } finally {
        this.#recycle();
      }
    }
    setImmediate(this.#deliver);
  };

  /** Fills the burst; false when there is nothing, and then {@link PortWatch.#wake} is called later, but at the end. */
  #receive(): boolean {
    const { port } = this;
    if (port.rx(this.#burst) > 0) return true;
    if (port.ended === true) return false;
    const armed = port.arm();
    // What came before arm() has made no descriptor readable yet, on some ports.
    if (!armed && port.rx(this.#burst) > 0) return true;
    this.#watch?.arm();
    if (!armed) this.#untoldTimer ??= setTimeout(this.#wake, UNTOLD_MS);
    return false;
  }

  readonly #wake = (): void => {
    clearTimeout(this.#untoldTimer);
    this.#untoldTimer = undefined;
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  };

  #recycle(): void {
    if (this.#burst.count > 0) this.port.recycle(this.#burst);
  }

  #finish(tell: () => void): void {
    try {
      tell();
    } finally {
      this.close();
    }
  }

  #taken(): Error {
    const { spec } = this.port;
    return new Error(`Cannot receive from the watch of ${spec} twice: it has ${this.#consumer} already`);
  }
}

/**
 * Watches a port from the event loop, which uses no CPU while nothing arrives.
 *
 * ```ts
 * for await (const burst of watchPort(port)) {
 *   for (let i = 0; i < burst.count; i++) handle(port.regions[burst.region[i]!]!.view, burst.addr[i]!, burst.len[i]!);
 * }
 * ```
 *
 * @throws RangeError when a burst cannot have so many descriptors
 * @throws SystemError EEXIST when the port is watched already
 */
export function watchPort(port: Port, options: WatchPortOptions = {}): PortWatch {
  return new PortWatch(port, options);
}
