import { libc } from '../../src/ffi/index.ts';
import { link, withNetns } from '../../src/sys/index.ts';
import type { Umem, XdpSocketSpec, XdpStatistics } from '../../src/xdp/index.ts';
import { SocketRings } from '../../src/xdp/socketRings.ts';
import { readStatistics, XDP_COUNTERS } from '../../src/xdp/statistics.ts';
import type { VethEnd } from './vethPair.ts';
import { until } from './xdpCasesRig.ts';

const MSG_DONTWAIT = 0x40;

/** A socket whose rings are written past every check of ours: what the kernel says to it is the kernel's own. */
export class RawXdpSocket implements Disposable {
  readonly rings: SocketRings;
  readonly #counters = new Float64Array(XDP_COUNTERS);

  /** Opens it on nicQueue 0. Nothing is on its fill ring. */
  constructor(end: VethEnd, umem: Umem, spec: Partial<XdpSocketSpec> = {}) {
    this.rings = withNetns(
      end.namespace,
      () =>
        new SocketRings({
          interface: end.name,
          ifindex: link(end.name).index,
          queue: 0,
          umem,
          rxSize: 64,
          txSize: 64,
          ...spec,
        }),
    );
  }

  /** Puts a descriptor on the tx ring; an `addr` below 0 is that far before the umem. */
  put(addr: number, len: number, options: number): void {
    const { cursor, words } = this.rings.tx;
    until(
      () => cursor.reserve(1) === 1,
      () => 'a slot of the tx ring',
    );
    const word = 4 * cursor.slot(0);
    words[word] = addr >>> 0;
    words[word + 1] = Math.floor(addr / 2 ** 32) >>> 0;
    words[word + 2] = len;
    words[word + 3] = options;
    cursor.submit(1);
  }

  /** Makes one system call to have the kernel send. */
  kick(): void {
    libc.sendtoPtr(this.rings.fd.fd, 0, 0, MSG_DONTWAIT, 0, 0);
  }

  /** Makes system calls until the kernel has taken all off the tx ring, and forgets what was completed. */
  drain(): void {
    const { tx, completion } = this.rings;
    until(
      () => {
        this.kick();
        completion.cursor.release(completion.cursor.peek(completion.size));
        return tx.cursor.free() === tx.size;
      },
      () => 'an empty tx ring',
    );
  }

  /** What the kernel counted. */
  statistics(): XdpStatistics {
    return readStatistics(this.rings.fd.fd, this.#counters);
  }

  [Symbol.dispose](): void {
    this.rings.close();
  }
}
