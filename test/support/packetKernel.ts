import { type PacketLayout, PacketRings } from '../../src/packet/index.ts';

/** Where the kernel puts frames in rx slots, and takes them from tx slots. [bytes] */
const RX_OFFSET = 66;
const TX_OFFSET = 32;
/** A struct tpacket2_hdr, in words: status, length, captured length, offsets, …, VLAN tag. */
const [LEN, SNAPLEN, MAC, VLAN] = [1, 2, 3, 6];
const [USER, SEND_REQUEST, WRONG_FORMAT] = [1, 1, 4];

/** The rings of a packet socket in plain memory, with the kernel's side of them. */
export class RingsInMemory extends PacketRings {
  readonly kernel: PacketKernel;

  constructor(layout: PacketLayout, debug: boolean = false) {
    const buffer = new ArrayBuffer(layout.len);
    super(buffer, layout, debug);
    this.kernel = new PacketKernel(buffer, layout);
  }

  /** What a socket does whose system call is made. @returns frames found invalid */
  flush(): number {
    this.kernel.send();
    return this.settle();
  }

  /** Frames that the kernel has not taken. */
  get queued(): number {
    return this.unsent;
  }

  /** Whether a frame is waiting. */
  get ready(): boolean {
    return this.waiting;
  }
}

/** The other side: fills rx slots in order as long as they are its own, takes tx slots in order as long as they are to be sent. */
export class PacketKernel {
  readonly bytes: Uint8Array;
  /** frames sent, each a copy; kept when {@link PacketKernel.keep} says so */
  readonly sent: Uint8Array[] = [];
  keep = true;
  /** longer frames are invalid [bytes] */
  maxLen = 1518;
  readonly #words: Int32Array;
  readonly #layout: PacketLayout;
  #rxHead = 0;
  #txHead = 0;

  constructor(buffer: ArrayBuffer, layout: PacketLayout) {
    this.bytes = new Uint8Array(buffer);
    this.#words = new Int32Array(buffer);
    this.#layout = layout;
  }

  /** Receives a frame of `len` bytes, whatever stands in the slot. @returns where it begins; -1 when the slot is not ours */
  receive(len: number, status: number = 0, vlan: number = 0): number {
    const { frameLen, rxSize } = this.#layout;
    const slot = this.#rxHead * frameLen;
    const at = slot >> 2;
    if (this.#words[at] !== 0) return -1;
    this.#rxHead = (this.#rxHead + 1) % rxSize;
    this.#words[at + LEN] = len;
    this.#words[at + SNAPLEN] = Math.min(len, frameLen - RX_OFFSET);
    this.#words[at + MAC] = RX_OFFSET | ((RX_OFFSET + 14) << 16);
    this.#words[at + VLAN] = vlan | (0x8100 << 16);
    this.#words[at] = USER | status;
    return slot + RX_OFFSET;
  }

  /** Sends in order, up to the first frame that is invalid: the next call begins with that slot again. */
  send(): void {
    const { txBase, frameLen, txSize } = this.#layout;
    for (;;) {
      const slot = txBase + this.#txHead * frameLen;
      const at = slot >> 2;
      if (this.#words[at] !== SEND_REQUEST) return;
      const len = this.#words[at + LEN]!;
      if (len > this.maxLen) {
        this.#words[at] = WRONG_FORMAT;
        return;
      }
      if (this.keep) this.sent.push(this.bytes.slice(slot + TX_OFFSET, slot + TX_OFFSET + len));
      this.#words[at] = 0;
      this.#txHead = (this.#txHead + 1) % txSize;
    }
  }
}
