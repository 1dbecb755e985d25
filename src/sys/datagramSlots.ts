import { MappedRegion } from './region.ts';
import { SOCKADDR_LEN } from './socketAddress.ts';
import { iovec, mmsghdr, msghdr } from './uapi/index.ts';

const NAME_STRIDE = 32;
const MMSG_WORDS = mmsghdr.sizeof / 4;
const LEN_WORD = mmsghdr.msg_len / 4;
const NAMELEN_WORD = msghdr.msg_namelen / 4;
const FLAGS_WORD = msghdr.msg_flags / 4;
const NAME_WORD = msghdr.msg_name / 4;
const IOV_LEN_WORD = iovec.iov_len / 4;

/**
 * Native memory for a burst of datagrams of recvmmsg(2) or sendmmsg(2), laid out once:
 *
 * ```
 * +---------------+-------------+----------------+---------------------------+
 * | count mmsghdr | count iovec | count sockaddr | count slots of slotLen    |
 * +---------------+-------------+----------------+---------------------------+
 *    |  |____________^               ^                ^
 *    |_______________________________|   iov_base ____|
 * ```
 *
 * @source linux/socket.h, struct mmsghdr; recvmmsg(2)
 */
export class DatagramSlots implements Disposable {
  readonly count: number;
  /** [bytes] */
  readonly slotLen: number;
  /** all of the memory */
  readonly view: DataView<ArrayBuffer>;
  /** address of the first mmsghdr */
  readonly ptr: number;
  /** offset of the first slot's payload in {@link DatagramSlots.view}; slot i begins i * slotLen later */
  readonly payload: number;
  readonly #region: MappedRegion;
  readonly #words: Uint32Array<ArrayBuffer>;
  readonly #names: number;
  readonly #iovWords: number;

  /** @param slotLen - longest datagram, a multiple of 8 [bytes] */
  constructor(count: number, slotLen: number, what: string) {
    const iovs = count * mmsghdr.sizeof;
    this.#names = iovs + count * iovec.sizeof;
    this.payload = (this.#names + count * NAME_STRIDE + 63) & ~63;
    this.#region = new MappedRegion({ len: this.payload + count * slotLen, what });
    this.count = count;
    this.slotLen = slotLen;
    this.view = new DataView(this.#region.buffer);
    this.ptr = this.#region.ptr;
    this.#words = new Uint32Array(this.#region.buffer, 0, this.#region.len / 4);
    this.#iovWords = iovs / 4;
    for (let i = 0; i < count; i++) {
      const message = i * mmsghdr.sizeof + mmsghdr.msg_hdr;
      const iov = iovs + i * iovec.sizeof;
      this.#pointer(message + msghdr.msg_name, this.#names + i * NAME_STRIDE);
      this.#pointer(message + msghdr.msg_iov, iov);
      this.#pointer(iov + iovec.iov_base, this.payload + i * slotLen);
      this.view.setUint32(message + msghdr.msg_iovlen, 1, true);
      this.view.setUint32(message + msghdr.msg_namelen, SOCKADDR_LEN, true);
      this.view.setUint32(iov + iovec.iov_len, slotLen, true);
    }
  }

  /** Where slot i's socket address is in {@link DatagramSlots.view}. */
  nameOffset(i: number): number {
    return this.#names + i * NAME_STRIDE;
  }

  /** Length that the kernel wrote for slot i. [bytes] @hot */
  receivedLen(i: number): number {
    return this.#words[i * MMSG_WORDS + LEN_WORD]!;
  }

  /** Flags that the kernel wrote for slot i: `MSG_TRUNC`. @hot */
  receivedFlags(i: number): number {
    return this.#words[i * MMSG_WORDS + FLAGS_WORD]!;
  }

  /** Sets how much of slot i is sent. [bytes] @hot */
  setLen(i: number, len: number): void {
    this.#words[this.#iovWords + i * (iovec.sizeof / 4) + IOV_LEN_WORD] = len;
  }

  /** Addresses slot i to the sender of slot `from` of `source`. @hot */
  copyName(i: number, source: DatagramSlots, from: number): void {
    const to = (this.#names + i * NAME_STRIDE) >>> 2;
    const at = (source.#names + from * NAME_STRIDE) >>> 2;
    for (let word = 0; word < NAME_STRIDE / 4; word++) this.#words[to + word] = source.#words[at + word]!;
  }

  /** Says that slots carry no address of their own: the socket is connected. */
  clearNames(): void {
    for (let i = 0; i < this.count; i++) {
      this.#words[i * MMSG_WORDS + NAME_WORD] = 0;
      this.#words[i * MMSG_WORDS + NAME_WORD + 1] = 0;
      this.#words[i * MMSG_WORDS + NAMELEN_WORD] = 0;
    }
  }

  /** Unmaps the memory. Idempotent. */
  close(): void {
    this.#region.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #pointer(offset: number, target: number): void {
    this.view.setBigUint64(offset, BigInt(this.ptr + target), true);
  }
}
