import assert from 'node:assert/strict';
import { libc } from '../../src/ffi/index.ts';
import { Fd, MappedFile, MappedRegion } from '../../src/sys/index.ts';
import * as k from '../../src/sys/uapi/index.ts';

const CHUNK_LEN = 4096;
const CHUNKS = 16;

/**
 * An AF_XDP socket by hand, so that what the kernel delivers is seen without our own: receives frames in copy mode on
 * nicQueue 0, up to 16 in its life.
 */
export class HandmadeXdpSocket implements Disposable {
  readonly fd: Fd;
  readonly #umem: MappedRegion;
  readonly #rx: MappedFile;
  readonly #fill: MappedFile;
  readonly #offsets: BigUint64Array;
  #taken = 0;

  constructor(ifindex: number) {
    this.fd = new Fd(libc.socket(k.AF_XDP, 3, 0), 'handmade AF_XDP socket');
    const { fd } = this.fd;
    this.#umem = new MappedRegion({ len: CHUNKS * CHUNK_LEN });
    const umem = new BigUint64Array(4);
    umem.set([BigInt(this.#umem.ptr), BigInt(this.#umem.len), BigInt(CHUNK_LEN)]);
    assert.equal(libc.setsockopt(fd, k.SOL_XDP, k.XDP_UMEM_REG, umem, 32), 0);
    for (const ring of [k.XDP_UMEM_FILL_RING, k.XDP_UMEM_COMPLETION_RING, k.XDP_RX_RING]) {
      assert.equal(libc.setsockopt(fd, k.SOL_XDP, ring, new Uint32Array([CHUNKS]), 4), 0);
    }
    this.#offsets = new BigUint64Array(k.xdp_mmap_offsets.sizeof / 8);
    const len = new Uint32Array([this.#offsets.byteLength]);
    assert.equal(libc.getsockopt(fd, k.SOL_XDP, k.XDP_MMAP_OFFSETS, this.#offsets, len), 0);
    const slots = (at: number): number => this.#offset(at, k.xdp_ring_offset.desc);
    this.#rx = new MappedFile(fd, slots(k.xdp_mmap_offsets.rx) + CHUNKS * 16, k.XDP_PGOFF_RX_RING, 'rx');
    const fillLen = slots(k.xdp_mmap_offsets.fr) + CHUNKS * 8;
    this.#fill = new MappedFile(fd, fillLen, k.XDP_UMEM_PGOFF_FILL_RING, 'fill');
    const fill = new BigUint64Array(this.#fill.buffer, slots(k.xdp_mmap_offsets.fr), CHUNKS);
    for (let i = 0; i < CHUNKS; i++) fill[i] = BigInt(i * CHUNK_LEN);
    const producer = this.#offset(k.xdp_mmap_offsets.fr, k.xdp_ring_offset.producer);
    Atomics.store(new Uint32Array(this.#fill.buffer), producer / 4, CHUNKS);
    const address = new DataView(new ArrayBuffer(k.sockaddr_xdp.sizeof));
    address.setUint16(k.sockaddr_xdp.sxdp_family, k.AF_XDP, true);
    address.setUint16(k.sockaddr_xdp.sxdp_flags, k.XDP_COPY, true);
    address.setUint32(k.sockaddr_xdp.sxdp_ifindex, ifindex, true);
    assert.equal(libc.bind(fd, address, address.byteLength), 0);
  }

  /** How many frames the kernel has delivered so far. */
  get arrived(): number {
    const producer = this.#offset(k.xdp_mmap_offsets.rx, k.xdp_ring_offset.producer);
    return Atomics.load(new Uint32Array(this.#rx.buffer), producer / 4);
  }

  /** Waits up to 2 s for a frame; returns it with the bytes before it. */
  receive(before: number): { metadata: DataView; frame: Uint8Array } {
    assert.ok(
      waitUntil(() => this.arrived > this.#taken),
      'no frame arrived',
    );
    const slot = this.#offset(k.xdp_mmap_offsets.rx, k.xdp_ring_offset.desc) + 16 * this.#taken++;
    const descriptor = new DataView(this.#rx.buffer, slot);
    const addr = Number(descriptor.getBigUint64(k.xdp_desc.addr, true));
    const len = descriptor.getUint32(k.xdp_desc.len, true);
    const bytes = new Uint8Array(this.#umem.buffer).slice(addr - before, addr + len);
    return { metadata: new DataView(bytes.buffer, 0, before), frame: bytes.subarray(before) };
  }

  [Symbol.dispose](): void {
    for (const each of [this.#rx, this.#fill, this.fd, this.#umem]) each.close();
  }

  #offset(ring: number, member: number): number {
    return Number(this.#offsets[(ring + member) / 8]);
  }
}

/** Waits up to 2 s, and tells whether it came to be: frames cross a veth pair in a softirq on any core. */
export function waitUntil(done: () => boolean): boolean {
  for (const deadline = performance.now() + 2000; !done(); ) {
    if (performance.now() > deadline) return false;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  }
  return true;
}
