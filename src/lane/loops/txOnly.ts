import { Burst, copyBytes } from '../../core/index.ts';
import type { Port } from '../../port/index.ts';
import { DEFAULT_BURST, MIN_FRAME_LEN, maxFrameLen, type PortLoop, type PortLoopSpec } from './portLoop.ts';

/**
 * Sends the same frame over and over, as fast as the port takes it; receives nothing.
 *
 * A frame that finds no room on the tx ring is kept for the next poll, so none is lost.
 */
export class TxOnly implements PortLoop {
  readonly fds: readonly number[];
  readonly #port: Port;
  readonly #burst: Burst;
  readonly #frame: DataView;
  readonly #views: readonly DataView[];

  /**
   * @param frame - what to send, from the Ethernet header on; copied
   * @throws RangeError when the burst is none, or the frame is longer than the port sends from one chunk
   */
  constructor(port: Port, frame: Uint8Array, spec: PortLoopSpec = {}) {
    const longest = maxFrameLen(port);
    if (frame.length < MIN_FRAME_LEN || frame.length > longest) {
      throw new RangeError(
        `Cannot send a frame of ${frame.length} bytes on ${port.spec}: wanted ${MIN_FRAME_LEN} to ${longest}`,
      );
    }
    this.fds = port.fds;
    this.#port = port;
    this.#burst = new Burst(spec.burst ?? DEFAULT_BURST);
    this.#frame = new DataView(frame.slice().buffer);
    this.#views = port.regions.map(({ view }) => view);
  }

  /** Writes frames into all chunks to be had, up to a burst, and sends them. @returns frames sent @hot */
  poll(_budget: number): number {
    const port = this.#port;
    const burst = this.#burst;
    const first = burst.count;
    port.alloc(burst, burst.capacity - first);
    const frame = this.#frame;
    const views = this.#views;
    const len = frame.byteLength;
    const addr = burst.addr;
    const region = burst.region;
    for (let i = first; i < burst.count; i++) {
      copyBytes(frame, 0, views[region[i]!]!, addr[i]! | 0, len);
      burst.len[i] = len;
    }
    const sent = port.tx(burst);
    burst.dropPrefix(sent);
    port.flush();
    return sent;
  }

  /** Always false: there is always something to send. */
  arm(): boolean {
    return false;
  }

  /** None. */
  drops(): Record<string, number> {
    return {};
  }
}
