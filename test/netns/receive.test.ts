import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  encodeIntendedTime,
  encodeOrder,
  OrderRecord,
  type RunningReceiver,
  receiveOrders,
  STAMPED_ORDER_LEN,
} from '../../src/order/index.ts';
import { deleteLink, nowNs, SystemError, setLink, UdpSocket, withNetns } from '../../src/sys/index.ts';
import { requireRoot, requireTool } from '../support/requirements.ts';
import { type TestVeth, testVeth, type VethEnd } from '../support/vethPair.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const UDP_PORT = 9000;

function receiveAt(end: VethEnd): Promise<RunningReceiver> {
  return receiveOrders({
    via: `xdp:${end.name}`,
    udpPort: UDP_PORT,
    netns: end.namespace.path,
    idle: 'block',
  });
}

/** A socket of the far kernel that sends orders, a burst at a time. */
class OrderSender implements Disposable {
  readonly #socket: UdpSocket;
  readonly #order = new OrderRecord();
  #id = 0n;

  constructor(veth: TestVeth) {
    this.#socket = withNetns(
      veth.a.namespace,
      () => new UdpSocket({ peer: { address: veth.b.address, port: UDP_PORT }, burst: 32, maxLen: 64 }),
    );
    this.#order.price = 100n;
    this.#order.quantity = 1n;
  }

  send(count: number): void {
    for (let i = 0; i < count; i++) {
      this.#id++;
      this.#order.id = this.#id;
      this.#order.intendedNs = nowNs();
      const at = this.#socket.reserve(STAMPED_ORDER_LEN);
      encodeOrder(this.#socket.sendView, at, this.#order);
      encodeIntendedTime(this.#socket.sendView, at, this.#order);
    }
    this.#socket.flush();
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`Waited 5 s in vain: ${what}`);
}

/** Runs a script in another network namespace. @returns its exit code and standard output */
async function runIn(end: VethEnd, script: string): Promise<{ code: number; out: string; kill: () => void }> {
  const child = withNetns(end.namespace, () =>
    spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] }),
  );
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  const [code] = await once(child, 'close');
  return { code: code as number, out, kill: () => child.kill() };
}

describe('receiving orders on an interface of the user', () => {
  it('leaves a TCP session through the kernel alone while AF_XDP takes its flow', async (t) => {
    if (!requireRoot(t)) return;
    using veth = testVeth();
    await using receiver = await receiveAt(veth.b);
    const server = runIn(
      veth.b,
      `const server = require('net').createServer((socket) => {
         socket.pipe(socket);
         socket.on('close', () => server.close());
       }).listen(2222);`,
    );
    const client = runIn(
      veth.a,
      `const net = require('net');
       let left = 300, tries = 100, got = 0;
       const type = () => {
         const socket = net.connect(2222, '${veth.b.address}', () => socket.write('x'.repeat(64)));
         socket.on('error', () => tries-- > 0 && setTimeout(type, 50));
         socket.on('data', (data) => {
           got += data.length;
           if (got % 64 !== 0) return;
           if (--left === 0) { console.log(got); socket.end(); } else socket.write('x'.repeat(64));
         });
       };
       type();`,
    );
    using sender = new OrderSender(veth);
    let sent = 0;
    const flood = setInterval(() => {
      sender.send(32);
      sent += 32;
    }, 2);
    const { code, out } = await client;
    clearInterval(flood);
    await server;
    assert.equal(code, 0);
    assert.equal(out.trim(), String(300 * 64));
    await until('all orders arrived', () => receiver.read().received >= sent);
    assert.ok(sent > 0);
    const { received, rejected, book } = receiver.read();
    assert.deepEqual({ received, rejected, book }, { received: sent, rejected: {}, book: sent });
  });

  it('ends with the error when the interface is removed, and the process lives', async (t) => {
    if (!requireRoot(t)) return;
    using veth = testVeth();
    await using receiver = await receiveAt(veth.b);
    using sender = new OrderSender(veth);
    sender.send(10);
    await until('orders arrive', () => receiver.read().received === 10);
    withNetns(veth.b.namespace, () => deleteLink(veth.b.name));
    await assert.rejects(receiver.failed, (error) => {
      assert.ok(error instanceof SystemError);
      assert.equal(error.code, 'ENETDOWN');
      assert.match(error.message, /vb queue 0/);
      return true;
    });
    assert.equal(receiver.read().received, 10);
  });

  it('says on standard error what is wrong, and exits with 1', async (t) => {
    if (!requireRoot(t)) return;
    using veth = testVeth();
    const cases: readonly [string, RegExp][] = [
      ['xdp:nope', /Cannot find interface nope: ENODEV.*lo, vb/s],
      ['xdp:vb?queue=7', /vb queue 7: it has queues 0 to 0/],
      ['xdp:vb?rx=1000', /power of two/],
      ['udp:not-an-address', /not-an-address/],
      ['carrier:pigeon', /no source "carrier:"; there are udp:, xdp:, /],
    ];
    for (const [via, message] of cases) {
      const child = withNetns(veth.b.namespace, () =>
        spawn(process.execPath, [MAIN, 'receive', '--via', via], { stdio: ['ignore', 'pipe', 'pipe'] }),
      );
      let err = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        err += text;
      });
      const [code] = await once(child, 'close');
      assert.equal(code, 1, via);
      assert.match(err, message);
      assert.doesNotMatch(err, /\n {4}at /, 'no stack for an error of the user');
    }
  });

  it('says that the interface is down, at the start and later, and when it is up again', async (t) => {
    if (!requireRoot(t)) return;
    using veth = testVeth();
    const put = (up: boolean): void => withNetns(veth.b.namespace, () => setLink(veth.b.name, { up }));
    put(false);
    const args = [MAIN, 'receive', '--via', `xdp:${veth.b.name}`];
    const child = withNetns(veth.b.namespace, () => spawn(process.execPath, args));
    const ended = once(child, 'close');
    let err = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    const count = (line: RegExp): number => err.match(line)?.length ?? 0;
    const down = /^vb is down, so nothing arrives: `ip link set vb up`$/gm;
    await until('it says that vb is down', () => count(down) === 1);
    put(true);
    await until('it says that vb is up', () => count(/^vb is up again$/gm) === 1);
    put(false);
    await until('it says that vb is down again', () => count(down) === 2);
    child.kill('SIGINT');
    assert.deepEqual(await ended, [0, null]);
  });

  it('needs no privilege over a socket of the kernel, and names all that are missing over AF_XDP', async (t) => {
    if (!requireRoot(t)) return;
    const setpriv = requireTool(t, 'setpriv');
    if (setpriv === undefined) return;
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, MAIN, 'receive'];
    const udp = spawn(setpriv, [
      ...nobody,
      '--via',
      'udp:127.0.0.1',
      '--port',
      '9123',
      '--seconds',
      '1',
      '--json',
    ]);
    let out = '';
    udp.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    assert.deepEqual(await once(udp, 'close'), [0, null]);
    const { via, accelerated, received } = JSON.parse(out) as Record<string, unknown>;
    assert.deepEqual({ via, accelerated, received }, { via: 'udp', accelerated: false, received: 0 });

    const xdp = spawn(setpriv, [...nobody, '--via', 'xdp:lo']);
    let err = '';
    xdp.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    assert.deepEqual(await once(xdp, 'close'), [1, null]);
    assert.match(
      err,
      /^barewire: Cannot open xdp:lo: EPERM\. It needs .*; this thread has none of them: run as root/,
    );
    for (const name of ['net_raw', 'net_admin', 'bpf', 'perfmon']) {
      assert.match(err, new RegExp(`CAP_${name.toUpperCase()}\\b.*setcap .*cap_${name}\\b.*ep .*node`));
    }
  });
});
