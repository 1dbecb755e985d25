import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Burst, FrameFlags } from '../../src/core/index.ts';
import { libc } from '../../src/ffi/index.ts';
import { encodeIntendedTime, encodeOrder, OrderRecord, STAMPED_ORDER_LEN } from '../../src/order/index.ts';
import { openPort, type Port, TapPort, type TapPortSpec } from '../../src/port/index.ts';
import {
  addresses,
  deleteLink,
  features,
  link,
  links,
  NetworkNamespace,
  neighbours,
  nowNs,
  SystemError,
  setLink,
  UdpSocket,
  withNetns,
} from '../../src/sys/index.ts';
import { formatMac, parseUdpFrame, UdpFrame, UdpFrameTemplate } from '../../src/wire/index.ts';
import { requireRoot, requireTool } from '../support/requirements.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const PORT_MODULE = fileURLToPath(new URL('../../src/port/index.ts', import.meta.url));
const TAP_MODULE = fileURLToPath(new URL('../../src/tap/index.ts', import.meta.url));
const KERNEL = '10.9.0.2';
const OURS = '10.9.0.1';
const UDP_PORT = 9000;
/** @source linux/if_tun.h, TUNSETPERSIST */
const TUNSETPERSIST = 0x4004_54cb;
const TUNSETOWNER = 0x4004_54cc;
const NOBODY = 65_534;

/** A namespace with a tap in it, and a UDP socket of its kernel that talks to the port. */
class Rig implements Disposable {
  readonly namespace = NetworkNamespace.create();
  readonly port: TapPort;
  readonly socket: UdpSocket;
  readonly #frame = new UdpFrame();

  constructor(spec: TapPortSpec = {}) {
    this.port = withNetns(
      this.namespace,
      () =>
        new TapPort({
          interface: 'tap0',
          addresses: [`${KERNEL}/24`],
          neighbours: [OURS],
          debug: true,
          ...spec,
        }),
    );
    this.socket = withNetns(
      this.namespace,
      () =>
        new UdpSocket({
          address: KERNEL,
          port: UDP_PORT,
          peer: { address: OURS, port: UDP_PORT },
          burst: 8,
          maxLen: 4096,
        }),
    );
  }

  in<T>(fn: () => T): T {
    return withNetns(this.namespace, fn);
  }

  /** Has the kernel send a datagram of `len` bytes. */
  send(len: number, first = 0): void {
    const at = this.socket.reserve(len);
    for (let i = 0; i < len; i++) this.socket.sendView.setUint8(at + i, (first + i) & 0xff);
    this.socket.flush();
  }

  /** The payloads of the datagrams to us that wait, by their lengths; everything else the kernel says is left out. */
  receive(): number[] {
    const burst = new Burst(64);
    const lens: number[] = [];
    while (this.port.rx(burst) > 0) {
      for (let i = 0; i < burst.count; i++) {
        const { view } = this.port.regions[0]!;
        const error = parseUdpFrame(view, burst.addr[i]!, burst.len[i]!, this.#frame);
        if (error === 0 && this.#frame.destinationPort === UDP_PORT) lens.push(this.#frame.payloadLen);
      }
      this.port.recycle(burst);
    }
    return lens;
  }

  /** Sends a datagram in pieces of at most `pieceLen` bytes. */
  transmit(payloadLen: number, pieceLen: number): number {
    const { port } = this;
    const template = new UdpFrameTemplate({
      destinationMac: formatMac(port.interface.kernelMac),
      sourceMac: formatMac(port.mac),
      destinationAddress: KERNEL,
      sourceAddress: OURS,
      destinationPort: UDP_PORT,
      sourcePort: UDP_PORT,
    });
    const frame = new Uint8Array(42 + payloadLen).fill(7);
    const len = template.write(new DataView(frame.buffer), 0, payloadLen);
    const burst = new Burst(64);
    for (let at = 0; at < len; at += pieceLen) {
      assert.equal(port.alloc(burst, 1), 1);
      const i = burst.count - 1;
      const piece = frame.subarray(at, Math.min(len, at + pieceLen));
      port.regions[0]!.bytes.set(piece, burst.addr[i]!);
      burst.len[i] = piece.length;
      burst.flags[i] = at + pieceLen < len ? FrameFlags.continues : 0;
    }
    const accepted = port.tx(burst);
    burst.dropPrefix(accepted);
    port.recycle(burst);
    return accepted;
  }

  [Symbol.dispose](): void {
    this.socket.close();
    this.port.close();
    this.namespace.close();
  }
}

describe('TapPort', () => {
  it('receives what the kernel sends, its checksums computed, and the kernel what it sends', (t) => {
    if (!requireRoot(t)) return;
    using rig = new Rig();
    for (const len of [1, 25, 1472]) rig.send(len);
    assert.deepEqual(rig.receive(), [1, 25, 1472]);
    const known = rig.in(() => features('tap0'));
    for (const name of ['tx-checksum-ip-generic', 'tx-tcp-segmentation']) {
      assert.equal(known.get(name)?.active, false, name);
    }
    assert.equal(rig.transmit(100, 2048), 1);
    assert.equal(rig.socket.receive(8), 1);
    assert.equal(rig.socket.len[0], 100);
  });

  it('sends a frame of several pieces as one', (t) => {
    if (!requireRoot(t)) return;
    using rig = new Rig({ mtu: 9000 });
    assert.equal(rig.port.mtu, 9000);
    assert.equal(rig.transmit(3000, 1000), 4);
    assert.equal(rig.socket.receive(8), 1);
    assert.equal(rig.socket.len[0], 3000);
    rig.send(4000);
    assert.deepEqual(rig.receive(), [4000]);
  });

  it('sets up the interface as its options say, and has the other end of its cable', (t) => {
    if (!requireRoot(t)) return;
    using namespace = NetworkNamespace.create();
    withNetns(namespace, () => {
      using port = openPort(`tap:?mtu=1400&address=${KERNEL}/24,fd00::2/64&neighbour=${OURS}`) as TapPort;
      const { mac, mtu, up, kind } = link('tap0');
      assert.deepEqual({ mtu, up, kind }, { mtu: 1400, up: true, kind: 'tun' });
      assert.equal(port.interface.interface, 'tap0');
      assert.deepEqual(formatMac(port.interface.kernelMac), mac);
      const flipped = port.mac.slice();
      flipped[5]! ^= 1;
      assert.equal(formatMac(flipped), mac);
      const given = addresses('tap0').map(({ address, prefixLen }) => `${address}/${prefixLen}`);
      assert.ok(given.includes(`${KERNEL}/24`) && given.includes('fd00::2/64'));
      const known = neighbours('tap0').find(({ address }) => address === OURS);
      assert.deepEqual([known?.mac, known?.permanent], [formatMac(port.mac), true]);
      assert.match(port.report.mode, /^tap0, a system call and a copy for each frame$/);
      using second = openPort('tap:second?up=false&mac=02:00:00:00:00:07');
      assert.equal(formatMac(second.mac), '02:00:00:00:00:07');
      assert.equal(link('second').up, false);
    });
  });

  it('has the kernel keep as many frames as it is told, and no fewer than it can', (t) => {
    if (!requireRoot(t)) return;
    using rig = new Rig({ chunkCount: 4096, txQueueLen: 4000 });
    rig.receive();
    for (let i = 0; i < 3000; i++) rig.send(10);
    assert.equal(rig.receive().length, 3000);
    assert.equal(rig.port.statistics().drops.rxQueueFull, 0);
    rig.in(() => assert.equal(link('tap0').txQueueLen, 4000));
    assert.throws(() => rig.in(() => openPort('tap:short?txqueuelen=0')), /txQueueLen must be 1 to 1000000/);
  });

  it('counts what is lost, by reason', (t) => {
    if (!requireRoot(t)) return;
    using rig = new Rig({ chunkCount: 2048 });
    rig.receive();
    rig.in(() => setLink('tap0', { mtu: 5000 }));
    rig.send(3000);
    assert.deepEqual(rig.receive(), []);
    assert.equal(rig.port.statistics().drops.rxTooLong, 1);
    rig.in(() => setLink('tap0', { mtu: 1500 }));

    for (let i = 0; i < 3000; i++) rig.send(10);
    const queued = rig.receive().length;
    const { rxQueueFull } = rig.port.statistics().drops;
    assert.ok(
      rxQueueFull! > 0 && queued + rxQueueFull! >= 3000,
      `${queued} received, ${rxQueueFull} dropped`,
    );

    const burst = new Burst(2);
    rig.port.alloc(burst, 2);
    burst.len.fill(60);
    rig.in(() => setLink('tap0', { up: false }));
    assert.equal(rig.port.tx(burst), 2);
    assert.equal(rig.port.statistics().drops.linkDown, 2);
    assert.equal(rig.port.rx(new Burst(1)), 0, 'an interface that is down is still ours');
    rig.in(() => setLink('tap0', { up: true }));
    burst.clear();
    rig.port.alloc(burst, 1);
    burst.len[0] = 13;
    assert.equal(rig.port.tx(burst), 1);
    assert.equal(rig.port.statistics().drops.txInvalid, 1);
  });

  it('throws once its interface is removed', (t) => {
    if (!requireRoot(t)) return;
    using rig = new Rig();
    rig.in(() => deleteLink('tap0'));
    const { port } = rig;
    const gone = (error: unknown): boolean =>
      error instanceof SystemError &&
      error.message ===
        'Cannot go on with tap interface tap0: EBADFD. The interface was removed: open the port again';
    assert.throws(() => port.rx(new Burst(1)), gone);
    assert.throws(() => port.arm(), gone);
    assert.throws(() => port.flush(), gone);
    const burst = new Burst(1);
    port.alloc(burst, 1);
    burst.len[0] = 60;
    assert.equal(port.tx(burst), 0);
    port.recycle(burst);
    port.statistics();
  });

  it('refuses an interface that another has open, or that is no tap', (t) => {
    if (!requireRoot(t)) return;
    using rig = new Rig();
    rig.in(() => {
      assert.throws(() => openPort('tap:tap0'), /Cannot open tap interface tap0: EBUSY\. Another program/);
      assert.throws(
        () => openPort('tap:lo'),
        /Cannot open tap interface lo: EINVAL\. The interface of that name/,
      );
      assert.throws(() => openPort('tap:t?address=10.0.0.300/24'), /10\.0\.0\.300/);
      assert.deepEqual(
        links().map(({ name }) => name),
        ['lo', 'tap0'],
        'what failed left nothing behind',
      );
    });
  });

  it('takes its interface along, also when it is killed, unless that is persistent', async (t) => {
    if (!requireRoot(t)) return;
    using namespace = NetworkNamespace.create();
    const names = (): string[] => withNetns(namespace, () => links().map(({ name }) => name));
    const script = `const { Tap } = await import(${JSON.stringify(TAP_MODULE)});
      globalThis.tap = new Tap({ interface: 'killed' });
      console.log('open');
      setInterval(() => {}, 1000);`;
    const child = withNetns(namespace, () =>
      spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      }),
    );
    await once(child.stdout, 'data');
    assert.deepEqual(names(), ['lo', 'killed']);
    child.kill('SIGKILL');
    await once(child, 'close');
    assert.deepEqual(names(), ['lo']);

    const open = (): TapPort =>
      withNetns(namespace, () => new TapPort({ interface: 'kept', addresses: [`${KERNEL}/24`] }));
    const first = open();
    assert.equal(libc.ioctlInt(first.interface.fd, TUNSETPERSIST, 1), 0);
    first.close();
    assert.deepEqual(names(), ['lo', 'kept']);
    const second = open();
    assert.equal(second.interface.persistent, true);
    assert.match(second.report.mode, /^kept, persistent, /);
    assert.equal(libc.ioctlInt(second.interface.fd, TUNSETPERSIST, 0), 0);
    second.close();
    assert.deepEqual(names(), ['lo']);
  });

  it('attaches without privileges to an interface made for the user, as it is', (t) => {
    if (!requireRoot(t)) return;
    const setpriv = requireTool(t, 'setpriv');
    if (setpriv === undefined) return;
    using namespace = NetworkNamespace.create();
    withNetns(namespace, () => {
      const made = new TapPort({ interface: 'mine', mtu: 1400 });
      assert.equal(libc.ioctlInt(made.interface.fd, TUNSETOWNER, NOBODY), 0);
      assert.equal(libc.ioctlInt(made.interface.fd, TUNSETPERSIST, 1), 0);
      made.close();
      const script = `
        import { openPort } from ${JSON.stringify(PORT_MODULE)};
        for (const spec of ['tap:mine', 'tap:mine?mtu=1400&up=false', 'tap:mine?mtu=1300']) {
          try { using port = openPort(spec); console.log(port.mtu); } catch (error) { console.log(error.code); }
        }`;
      const user = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
      const args = [...user, process.execPath, '--input-type=module', '-e', script];
      assert.equal(execFileSync(setpriv, args, { encoding: 'utf8' }), '1400\n1400\nEPERM\n');
    });
  });

  it('opens and closes over and over, and leaves nothing', (t) => {
    if (!requireRoot(t)) return;
    using namespace = NetworkNamespace.create();
    withNetns(namespace, () => {
      const times = process.env.BAREWIRE_SOAK === '1' ? 1000 : 50;
      for (let i = 0; i < times; i++) {
        const port: Port = openPort(`tap:again?chunks=16`);
        port.close();
        port.close();
      }
      assert.deepEqual(
        links().map(({ name }) => name),
        ['lo'],
      );
    });
  });
});

describe('barewire receive --via tap:', () => {
  it('puts the orders of a socket of this kernel into the book', async (t) => {
    if (!requireRoot(t)) return;
    using namespace = NetworkNamespace.create();
    const via = `tap:orders?address=${KERNEL}/24&neighbour=${OURS}`;
    const child = withNetns(namespace, () =>
      spawn(
        process.execPath,
        [MAIN, 'receive', '--via', via, '--port', String(UDP_PORT), '--seconds', '4', '--json'],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      ),
    );
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    const ended = once(child, 'close');
    const isThere = (): boolean =>
      withNetns(namespace, () => links().some(({ name, up }) => name === 'orders' && up));
    for (let i = 0; i < 500 && !isThere(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const socket = withNetns(
      namespace,
      () => new UdpSocket({ peer: { address: OURS, port: UDP_PORT }, burst: 32, maxLen: 64 }),
    );
    const order = new OrderRecord();
    order.price = 100n;
    order.quantity = 1n;
    for (let i = 1; i <= 320; i++) {
      order.id = BigInt(i);
      order.intendedNs = nowNs();
      const at = socket.reserve(STAMPED_ORDER_LEN);
      encodeOrder(socket.sendView, at, order);
      encodeIntendedTime(socket.sendView, at, order);
      if (i % 32 === 0) {
        socket.flush();
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    socket.close();
    assert.deepEqual(await ended, [0, null]);
    const { via: said, accelerated, received, rejected, book } = JSON.parse(out) as Record<string, unknown>;
    assert.deepEqual(
      { said, accelerated, received, rejected, book },
      { said: 'tap', accelerated: false, received: 320, rejected: {}, book: 320 },
    );
  });
});
