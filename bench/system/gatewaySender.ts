/**
 * The sender of the `gateway` case: a lane that sends datagrams through a socket of the kernel, one at a time, in an open
 * loop. Each has the time at which it was to be sent, as an f64.
 */
import type { Pollable } from '../../src/core/index.ts';
import type { LaneContext, LaneProgram } from '../../src/lane/index.ts';
import { nowNs, UdpSocket } from '../../src/sys/index.ts';

/** Where to send, and how often. */
export interface GatewaySenderData {
  readonly address: string;
  readonly udpPort: number;
  readonly intervalNs: number;
}

const PAYLOAD_LEN = 22;

/** Opens the socket, in the lane's namespace. */
export function createLane(_: LaneContext, data: GatewaySenderData): LaneProgram {
  const sender = new Sender(data);
  return { pollables: [sender], close: () => sender.close() };
}

class Sender implements Pollable {
  readonly fds: readonly number[];
  readonly #socket: UdpSocket;
  readonly #intervalNs: number;
  /** when the next one is to be sent: in a typed array, as an own number would be an object */
  readonly #due = Float64Array.of(nowNs());

  constructor({ address, udpPort, intervalNs }: GatewaySenderData) {
    this.#socket = new UdpSocket({ peer: { address, port: udpPort }, burst: 1, maxLen: PAYLOAD_LEN });
    this.fds = [this.#socket.fd];
    this.#intervalNs = intervalNs;
  }

  poll(): number {
    const due = this.#due[0]!;
    if (nowNs() < due) return 0;
    const socket = this.#socket;
    const at = socket.reserve(PAYLOAD_LEN);
    if (at >= 0) {
      socket.sendView.setFloat64(at, due);
      this.#due[0]! += this.#intervalNs;
    }
    // The first ones are refused where nobody is there yet; a slot that is still taken goes with the next.
    socket.flush();
    return 1;
  }

  arm(): boolean {
    return false;
  }

  close(): void {
    this.#socket.close();
  }
}
