import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { BpfProgram, type RedirectProgramSpec, redirectProgramSpec, XdpLink } from '../../src/bpf/index.ts';
import { ChunkOwner } from '../../src/core/index.ts';
import { link, nowNs, withNetns } from '../../src/sys/index.ts';
import {
  Umem,
  type UmemSpec,
  XdpInterface,
  type XdpInterfaceSpec,
  XdpSocket,
  type XdpSocketSpec,
} from '../../src/xdp/index.ts';
import { TEST_UDP_PORT } from './frames.ts';
import type { TestVeth, VethEnd } from './vethPair.ts';

/** Two interfaces on one wire, each in a namespace of its own, and what AF_XDP is expected to be on them. */
export interface XdpEnvironment {
  readonly name: string;
  /** what every socket is opened in, and has to say of itself */
  readonly mode: 'copy' | 'zerocopy';
  readonly attach: 'native' | 'generic';
  /** whether frames of one sender arrive in order; when not, that none is lost and none comes twice is all */
  readonly strictOrder: boolean;
  /** chunks of every umem that a case does not shape itself; default aligned, 2,048 bytes */
  readonly chunks?: Pick<UmemSpec, 'chunkLen' | 'unaligned'>;
  /** unaligned chunks need huge pages, of which there are some; default false */
  readonly unalignedOnHugePages?: boolean;
  /** cases that cannot run here, by name, each with its reason */
  readonly skip?: Readonly<Record<string, string>>;
  /** makes the interfaces, up and with addresses */
  readonly open: (options: WireOptions) => TestVeth;
  /** asks for what the environment needs; skips or fails the case when it is missing */
  readonly available?: (t: TestContext) => boolean;
}

/** What a case needs of its wire. */
export interface WireOptions {
  /** nicQueues of each end; default 1 */
  readonly queues?: number;
  /** of each end; default 1500 [bytes] */
  readonly mtu?: number;
}

/** One behaviour that AF_XDP has to show in every environment. */
export interface XdpCase extends WireOptions {
  readonly run: (rig: XdpRig, t: TestContext) => void | Promise<void>;
}

/** Cases by name: a plain claim. */
export type XdpCases = Readonly<Record<string, XdpCase>>;

/** Slots of rx and tx rings that a case does not size itself. */
export const RING = 256;
/** How long anything may take; an emulated machine is slow. */
const PATIENCE_NS = 30e9;

/**
 * What a case opens on its two interfaces, and has accounted for at its end: every umem keeps a ledger, and each of its
 * chunks must be free, on the fill ring, or (once all that was sent has been completed) nowhere else.
 */
export class XdpRig implements Disposable {
  readonly environment: XdpEnvironment;
  readonly wire: TestVeth;
  readonly #resources = new DisposableStack();
  readonly #sockets: XdpSocket[] = [];
  readonly #umems = new Set<Umem>();

  constructor(environment: XdpEnvironment, needs: WireOptions) {
    this.environment = environment;
    this.wire = this.#resources.use(environment.open(needs));
  }

  /** The two ends, a first. */
  get ends(): readonly [VethEnd, VethEnd] {
    return [this.wire.a, this.wire.b];
  }

  /** A umem with a ledger, of the environment's chunks unless told. */
  umem(spec: Partial<UmemSpec> = {}): Umem {
    const umem = new Umem({
      chunkCount: 4 * RING,
      debug: true,
      ...this.environment.chunks,
      hugePages: this.#needsHugePages(spec) ? 'strict' : 'off',
      ...spec,
    });
    this.#track(umem);
    this.#resources.defer(() => umem.region.close());
    return umem;
  }

  /** A socket on one nicQueue, that nothing is redirected to yet. */
  socket(end: VethEnd, spec: Partial<XdpSocketSpec> & Pick<XdpSocketSpec, 'umem'>): XdpSocket {
    const { mode } = this.environment;
    const socket = withNetns(
      end.namespace,
      () =>
        new XdpSocket({
          interface: end.name,
          ifindex: link(end.name).index,
          queue: 0,
          mode,
          rxSize: RING,
          txSize: RING,
          ...spec,
        }),
    );
    assert.equal(socket.mode, mode);
    this.#adopt(socket);
    return socket;
  }

  /** An interface with the test flow redirected to its sockets. */
  open(end: VethEnd, spec: Partial<XdpInterfaceSpec> = {}): XdpInterface {
    const { mode, attach, chunks } = this.environment;
    const opened = withNetns(
      end.namespace,
      () =>
        new XdpInterface({
          interface: end.name,
          flows: [{ port: TEST_UDP_PORT }],
          mode,
          attach,
          rxSize: RING,
          txSize: RING,
          ...(spec.umem === undefined && { debug: true, ...chunks, hugePages: this.#needsHugePages(spec) }),
          ...spec,
        }),
    );
    this.#resources.use(opened);
    assert.equal(opened.mode, mode);
    if (spec.group === undefined) assert.equal(opened.attachMode, attach);
    for (const socket of opened.sockets) this.#adopt(socket);
    return opened;
  }

  /** The only socket of {@link XdpRig.open}. */
  openSocket(end: VethEnd, spec: Partial<XdpInterfaceSpec> = {}): XdpSocket {
    return this.open(end, spec).sockets[0]!;
  }

  /** A program that redirects every frame, unread, to the sockets in its map; the kernels say nothing from then on. */
  redirect(end: VethEnd, spec: RedirectProgramSpec): BpfProgram {
    for (const each of this.ends) silence(each);
    const program = this.#resources.use(BpfProgram.load(redirectProgramSpec(spec)));
    this.attach(end, program);
    return program;
  }

  /** Attaches a program in the environment's mode. */
  attach(end: VethEnd, program: BpfProgram): void {
    const { attach } = this.environment;
    this.#resources.use(withNetns(end.namespace, () => XdpLink.attach(program, link(end.name), attach)));
  }

  /** Keeps something until the end of the case. */
  use<T extends Disposable>(resource: T): T {
    return this.#resources.use(resource);
  }

  /** Lets the kernel finish what was sent, and proves that every chunk has the owner that it must have. */
  assertAllReturned(): void {
    const open = this.#sockets.filter(({ umem }) => !umem.region.closed);
    for (const socket of open) {
      until(
        () => {
          for (const each of open) if (each.umem === socket.umem) settle(each);
          return socket.umem.pool.ledger!.audit().tx === 0;
        },
        () => `sent frames to be completed: ${JSON.stringify(socket.umem.pool.ledger!.audit())}`,
      );
    }
    for (const umem of this.#umems) {
      if (umem.region.closed) continue;
      const { pool } = umem;
      const ledger = pool.ledger!;
      ledger.assertNone(ChunkOwner.application);
      const owners = ledger.audit();
      assert.equal(owners.free + owners.fill, umem.chunkCount, JSON.stringify(owners));
      assert.equal(pool.free, owners.free, 'chunks in the pool');
    }
  }

  /** Closes all after a failure, which must not be hidden by the chunks that are missing for it. */
  abandon(): void {
    try {
      this.#resources.dispose();
    } catch {
      // The case has failed already.
    }
  }

  /** Closes all that was opened, the last first. */
  [Symbol.dispose](): void {
    this.#resources.dispose();
  }

  #needsHugePages({ unaligned = false }: { readonly unaligned?: boolean }): boolean {
    return unaligned && (this.environment.unalignedOnHugePages ?? false);
  }

  #adopt(socket: XdpSocket): void {
    this.#resources.use(socket);
    if (this.#track(socket.umem)) this.#sockets.push(socket);
  }

  /** Notes a umem for the reckoning. @returns false for one without a ledger, whose case writes past it */
  #track(umem: Umem): boolean {
    if (umem.pool.ledger !== null) this.#umems.add(umem);
    return umem.pool.ledger !== null;
  }
}

/** Stops the kernel from saying anything of its own on an interface on which it knows no IPv4 peer. */
function silence({ namespace, name }: VethEnd): void {
  const path = `/proc/sys/net/ipv6/conf/${name}/disable_ipv6`;
  withNetns(namespace, () => existsSync(path) && writeFileSync(path, '1'));
}

/** Has the kernel go on with what is to be sent, and takes back what was. A closed socket has nothing left to do. */
function settle(socket: XdpSocket): void {
  if (isClosed(socket)) return;
  socket.flush();
  socket.reap();
}

function isClosed(socket: XdpSocket): boolean {
  try {
    return socket.fd < 0;
  } catch {
    return true;
  }
}

/** Does `step` until it returns true; fails, saying for what it waited, after half a minute. */
export function until(step: () => boolean, what: () => string): void {
  const deadline = nowNs() + PATIENCE_NS;
  while (!step()) assert.ok(nowNs() < deadline, `Waited in vain for ${what()}`);
}

/** Does `step` for so long, whatever it meets: for what must not happen. */
export function during(ms: number, step: () => void): void {
  for (const end = nowNs() + ms * 1e6; nowNs() < end; ) step();
}
