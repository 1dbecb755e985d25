import { openSync, readSync } from 'node:fs';
import { libc } from '../ffi/index.ts';
import { addAddress, addNeighbour, addresses, check, Fd, type Link, link, setLink } from '../sys/index.ts';
import {
  IFF_NO_PI,
  IFF_PERSIST,
  IFF_TAP,
  IFNAMSIZ,
  ifreq,
  O_CLOEXEC,
  O_NONBLOCK,
  O_RDWR,
  TUNGETIFF,
  TUNSETIFF,
  TUNSETOFFLOAD,
} from '../sys/uapi/index.ts';
import { formatMac, parseMac } from '../wire/index.ts';
import type { TapSpec } from './tapSpec.ts';

const DEVICE = '/dev/net/tun';
const DEFAULT_NAME = 'tap%d';
const LOCALLY_ADMINISTERED = 2;
const MULTICAST = 1;
/** `tx dropped` among the numbers of a line of /proc/net/dev. */
const TX_DROPPED = 11;
const STATISTICS_LEN = 16_384;

/**
 * A tap interface, open: what the kernel sends through it is read from {@link Tap.fd}, what is written is received by it.
 *
 * It goes away when closed or killed; a persistent one, made beforehand by `ip tuntap add`, stays, with what it was set to.
 *
 * @source linux/if_tun.h; Documentation/networking/tuntap.rst
 */
export class Tap implements Disposable {
  /** its name */
  readonly interface: string;
  /** hardware address of the kernel's end [6 bytes] */
  readonly kernelMac: Uint8Array;
  /** hardware address of our end, locally administered unless given [6 bytes] */
  readonly mac: Uint8Array;
  /** longest packet, without the Ethernet header, as of the opening [bytes] */
  readonly mtu: number;
  /** it was there before, and stays */
  readonly persistent: boolean;
  readonly #fd: Fd;
  readonly #statistics: InterfaceDrops;

  /**
   * Makes the interface or attaches to it, and sets what the spec says.
   *
   * @throws TypeError when no interface can have the name, or an address is none
   * @throws SystemError EPERM without CAP_NET_ADMIN, EBUSY when another has it open, EINVAL when it is no tap, ENOENT
   * without the driver
   */
  constructor(spec: TapSpec = {}) {
    using cleanup = new DisposableStack();
    const name = spec.interface ?? DEFAULT_NAME;
    checkName(name);
    const fd = libc.open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC, 0);
    check(fd, 'Cannot open', 'open(/dev/net/tun)', DEVICE);
    const owner = cleanup.use(new Fd(fd, `tap ${name}`));
    const attached = attach(fd, name);
    this.interface = attached.name;
    this.persistent = attached.persistent;
    const found = setMissing(this.interface, spec);
    this.mtu = found.mtu;
    this.kernelMac = parseMac(found.mac!);
    this.mac = spec.mac === undefined ? otherEnd(this.kernelMac) : parseMac(spec.mac);
    addMissing(this.interface, spec.addresses ?? []);
    for (const address of spec.neighbours ?? []) addNeighbour(this.interface, address, formatMac(this.mac));
    this.#statistics = cleanup.use(new InterfaceDrops(this.interface));
    this.#fd = owner;
    cleanup.move();
  }

  /** The descriptor, for poll(2) and frames; non-blocking. */
  get fd(): number {
    return this.#fd.fd;
  }

  /** Frames that the kernel had no room for, or no wish to send, since the opening; read anew unless it is closed. */
  kernelDrops(): number {
    return this.#statistics.read();
  }

  /** Lets go of the interface, which goes away unless it is persistent. Idempotent. */
  close(): void {
    this.#statistics.close();
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function checkName(name: string): void {
  if (name !== '' && Buffer.byteLength(name) < IFNAMSIZ && !/[\s/\0]/.test(name)) return;
  throw new TypeError(
    `Cannot open tap interface: want a name of 1 to ${IFNAMSIZ - 1} bytes, no space or slash, got "${name}"`,
  );
}

function attach(fd: number, name: string): { name: string; persistent: boolean } {
  const request = new DataView(new ArrayBuffer(ifreq.sizeof));
  const bytes = new Uint8Array(request.buffer);
  new TextEncoder().encodeInto(name, bytes);
  request.setUint16(ifreq.ifr_ifru, IFF_TAP | IFF_NO_PI, true);
  check(libc.ioctl(fd, TUNSETIFF, request), 'Cannot open tap interface', 'ioctl(TUNSETIFF)', name);
  // A persistent one may have promised in an earlier life that its user finishes checksums and segments.
  check(libc.ioctlInt(fd, TUNSETOFFLOAD, 0), 'Cannot set up', 'ioctl(TUNSETOFFLOAD)', name);
  check(libc.ioctl(fd, TUNGETIFF, request), 'Cannot read flags of', 'ioctl(TUNGETIFF)', name);
  return {
    name: new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0))),
    persistent: (request.getUint16(ifreq.ifr_ifru, true) & IFF_PERSIST) !== 0,
  };
}

/** The other end of a cable to `mac`: its neighbour among the addresses that nobody was given by a manufacturer. */
function otherEnd(mac: Uint8Array): Uint8Array {
  const other = mac.slice();
  other[0] = (other[0]! & ~MULTICAST) | LOCALLY_ADMINISTERED;
  other[5]! ^= 1;
  return other;
}

/** Changes only what is not as wanted: a user for whom the interface was made may not change it. @returns how it is now */
function setMissing(name: string, { mtu, txQueueLen, up = true }: TapSpec): Link {
  if (txQueueLen !== undefined && !(Number.isInteger(txQueueLen) && txQueueLen >= 1 && txQueueLen <= 1e6)) {
    throw new RangeError(`Cannot set up ${name}: txQueueLen must be 1 to 1000000 frames, got ${txQueueLen}`);
  }
  const found = link(name);
  const resize = mtu !== undefined && mtu !== found.mtu;
  const lengthen = txQueueLen !== undefined && txQueueLen !== found.txQueueLen;
  const raise = up && !found.up;
  if (!resize && !lengthen && !raise) return found;
  setLink(name, {
    ...(resize ? { mtu } : {}),
    ...(lengthen ? { txQueueLen } : {}),
    ...(raise ? { up } : {}),
  });
  return link(name);
}

function addMissing(name: string, wanted: readonly string[]): void {
  const there = addresses(name).map(({ address, prefixLen }) => `${address}/${prefixLen}`);
  for (const address of wanted) if (!there.includes(address)) addAddress(name, address, { noDad: true });
}

/**
 * How many frames an interface has not sent, from now on.
 *
 * /proc/net/dev belongs to the namespace of the thread that opens it, wherever it is read later.
 */
class InterfaceDrops implements Disposable {
  readonly #fd: Fd;
  readonly #line: RegExp;
  readonly #before: number;
  #last = 0;

  constructor(name: string) {
    this.#fd = new Fd(openSync('/proc/thread-self/net/dev', 'r'), `statistics of ${name}`);
    this.#line = new RegExp(`^\\s*${name.replaceAll(/[^\w]/g, '\\$&')}:(.*)$`, 'm');
    this.#before = this.#look() ?? 0;
  }

  /** Once the interface or the file is gone, the answer stays what it was. */
  read(): number {
    if (!this.#fd.closed) this.#last = (this.#look() ?? this.#before + this.#last) - this.#before;
    return this.#last;
  }

  close(): void {
    if (!this.#fd.closed) this.read();
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #look(): number | undefined {
    const bytes = Buffer.alloc(STATISTICS_LEN);
    let text = '';
    for (let at = 0; ; ) {
      const len = readSync(this.#fd.fd, bytes, 0, STATISTICS_LEN, at);
      if (len === 0) break;
      text += bytes.toString('latin1', 0, len);
      at += len;
    }
    const dropped = this.#line.exec(text)?.[1]?.trim().split(/\s+/)[TX_DROPPED];
    return dropped === undefined ? undefined : Number(dropped);
  }
}
