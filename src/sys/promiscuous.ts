import { libc } from '../ffi/index.ts';
import { check } from './error.ts';
import { Fd } from './fd.ts';
import { link } from './netlink/index.ts';
import {
  AF_PACKET,
  PACKET_ADD_MEMBERSHIP,
  PACKET_MR_PROMISC,
  packet_mreq_max,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_PACKET,
} from './uapi/index.ts';

/**
 * An interface that lets frames for any address in, for as long as this object is open.
 *
 * The kernel counts who wants it (`promiscuity` of {@link link}) and ends it with the last, also after kill -9.
 *
 * NB: a flow program does not look at MAC addresses: frames of its flows that are meant for other hosts come too.
 *
 * @source packet(7), PACKET_ADD_MEMBERSHIP
 */
export class PromiscuousMode implements Disposable {
  readonly interface: string;
  readonly #socket: Fd;

  /** Asks for it. @throws SystemError EPERM without CAP_NET_RAW, ENODEV when the interface is missing */
  constructor(name: string) {
    const { index } = link(name);
    // Of protocol 0, it receives nothing.
    const fd = libc.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    check(fd, 'Cannot open socket for promiscuous mode of', 'socket(AF_PACKET)', name);
    using cleanup = new DisposableStack();
    const socket = cleanup.use(new Fd(fd, `promiscuous mode of ${name}`));
    const request = new DataView(new ArrayBuffer(packet_mreq_max.sizeof));
    request.setInt32(packet_mreq_max.mr_ifindex, index, true);
    request.setUint16(packet_mreq_max.mr_type, PACKET_MR_PROMISC, true);
    const result = libc.setsockopt(socket.fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, request, request.byteLength);
    check(result, 'Cannot set promiscuous mode of', 'setsockopt(PACKET_ADD_MEMBERSHIP)', name);
    cleanup.move();
    this.interface = name;
    this.#socket = socket;
  }

  /** Ends our wish for it; the mode ends when nobody else has one. Idempotent. */
  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
