import { Burst } from '../../core/index.ts';
import type { Port } from '../../port/index.ts';
import { type UdpFrameSpec, UdpFrameTemplate } from '../../wire/index.ts';

/** Where datagrams to one receiver are written and sent: a socket of the kernel with a peer, or a port. */
export interface DatagramOutput extends Disposable {
  /** payloads are written here */
  readonly sendView: DataView;
  /** Makes room for a payload. @returns its offset in {@link DatagramOutput.sendView}; -1 when there is none now */
  reserve(len: number): number;
  /** Sends what was reserved, in order. @returns datagrams that were taken, the rest waits; or a negative errno */
  flush(): number;
}

/** UDP datagrams as frames of a port, one way. */
export class PortDatagrams implements DatagramOutput {
  readonly sendView: DataView;
  readonly #port: Port;
  readonly #template: UdpFrameTemplate;
  readonly #out: Burst;
  /** frames of the burst that have their headers */
  #headed = 0;

  /**
   * Takes over the port: disposing closes it.
   *
   * @param port - with one region
   * @param burst - datagrams that wait at most
   * @throws TypeError or RangeError when the frame makes no sense; the port stays open
   */
  constructor(port: Port, frame: UdpFrameSpec, burst: number) {
    this.#template = new UdpFrameTemplate(frame);
    this.#out = new Burst(burst);
    this.#port = port;
    this.sendView = port.regions[0]!.view;
  }

  /** Makes room for a payload. @returns its offset in `sendView`; -1 when a burst waits or no chunk is free */
  reserve(len: number): number {
    const out = this.#out;
    if (this.#port.alloc(out, 1) === 0) return -1;
    out.len[out.count - 1] = len;
    return out.addr[out.count - 1]! + this.#template.headerLen;
  }

  /** Puts headers before the payloads and sends them. @returns datagrams that the port took */
  flush(): number {
    const out = this.#out;
    for (let i = this.#headed; i < out.count; i++) {
      out.len[i] = this.#template.write(this.sendView, out.addr[i]!, out.len[i]!);
    }
    const taken = this.#port.tx(out);
    this.#port.flush();
    out.dropPrefix(taken);
    this.#headed = out.count;
    return taken;
  }

  /** Closes the port; what waits is not sent. */
  [Symbol.dispose](): void {
    this.#port.recycle(this.#out);
    this.#port.close();
  }
}
