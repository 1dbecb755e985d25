import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import {
  type DestinationReading,
  type GatewayReading,
  parseFlow,
  type RunningGateway,
  startGateway,
} from '../../src/operate/index.ts';
import { withNetns } from '../../src/sys/index.ts';
import { requireRoot, requireTool } from '../support/requirements.ts';
import { type TestVeth, testVeth, type VethEnd } from '../support/vethPair.ts';
import { APP_GROUP, Command, OrderSender, SocketFolder, until } from './gatewayRig.ts';

/** A gateway on the near end of a veth pair, and how far it is. */
class Gateway implements AsyncDisposable {
  readonly #running: RunningGateway;
  readonly #latest: { reading: GatewayReading | undefined };

  private constructor(running: RunningGateway, latest: { reading: GatewayReading | undefined }) {
    this.#running = running;
    this.#latest = latest;
  }

  static async open({ b }: TestVeth, routes: Readonly<Record<string, string>>): Promise<Gateway> {
    const latest: { reading: GatewayReading | undefined } = { reading: undefined };
    const running = await startGateway({
      from: `xdp:${b.name}`,
      destinations: Object.entries(routes).map(([to, flow]) => ({ to, flows: [parseFlow(flow)] })),
      netns: b.namespace.path,
      intervalMs: 20,
      onReading: (reading) => {
        latest.reading = reading;
      },
    });
    return new Gateway(running, latest);
  }

  /** What is known of a destination. */
  at(index: number): DestinationReading {
    return this.#latest.reading!.destinations[index]!;
  }

  async connected(index: number, wanted = true): Promise<void> {
    const what = `destination ${index} ${wanted ? 'connected' : 'left'}`;
    await until(what, () => this.#latest.reading?.destinations[index]?.connected === wanted);
  }

  stop(): Promise<GatewayReading> {
    return this.#running.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running[Symbol.asyncDispose]();
  }
}

/** Asks for root and for setpriv. @returns its path */
function requireAll(t: TestContext): string | undefined {
  return requireRoot(t) ? requireTool(t, 'setpriv') : undefined;
}

/** Receives orders into a book, without privileges. */
function bookOn(setpriv: string, socket: string, port: number): Command {
  const via = `memif:${socket}`;
  return Command.unprivileged(setpriv, APP_GROUP, ['receive', '--via', via, '--port', `${port}`, '--json']);
}

/** Runs a script in another network namespace. @returns its standard output */
async function runIn(end: VethEnd, script: string): Promise<string> {
  const child = withNetns(end.namespace, () =>
    spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] }),
  );
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  assert.deepEqual(await once(child, 'close'), [0, null]);
  return out.trim();
}

/** A client of the far kernel that sends 100 datagrams, each after the answer to the one before. @returns answers */
const clientOf = (address: string, port: number): string =>
  `const socket = require('dgram').createSocket('udp4');
   let answers = 0, timer;
   const send = () => {
     socket.send('datagram ' + answers, ${port}, '${address}');
     timer = setTimeout(send, 500);
   };
   socket.on('message', (message) => {
     if (String(message) !== 'datagram ' + answers) return;
     clearTimeout(timer);
     if (++answers < 100) send(); else { console.log(answers); socket.close(); }
   });
   send();`;

describe('gateway from an interface to processes without privileges', () => {
  it('gives two order books their flows, and the kernel everything else', async (t) => {
    const setpriv = requireAll(t);
    if (setpriv === undefined) return;
    using veth = testVeth();
    using folder = new SocketFolder();
    const paths = ['first', 'second'].map((name) => folder.socket(name));
    await using gateway = await Gateway.open(veth, {
      [`memif:${paths[0]}?mode=0660`]: 'udp:9000',
      [`memif:${paths[1]}?mode=0660`]: `udp:${veth.b.address}:9001`,
    });
    await using first = bookOn(setpriv, paths[0]!, 9000);
    await using second = bookOn(setpriv, paths[1]!, 9001);
    await gateway.connected(0);
    await gateway.connected(1);
    using one = new OrderSender(veth, 9000);
    using other = new OrderSender(veth, 9001);
    one.start();
    other.start();
    const kernel = runIn(
      veth.b,
      `const socket = require('dgram').createSocket('udp4');
       socket.on('message', (message, { port, address }) => {
         socket.send(message, port, address, () => String(message) === 'datagram 99' && socket.close());
       });
       socket.bind(9002);`,
    );
    assert.equal(await runIn(veth.a, clientOf(veth.b.address, 9002)), '100');
    await kernel;
    await until('orders were sent', () => one.sent > 500 && other.sent > 500);
    one.stop();
    other.stop();
    await until(
      'all is forwarded',
      () => gateway.at(0).in.sent >= one.sent && gateway.at(1).in.sent >= other.sent,
    );
    for (const [app, { sent }] of [
      [first, one],
      [second, other],
    ] as const) {
      await app.received(sent);
      const { received, rejected, book } = await app.interrupt();
      assert.deepEqual({ received, rejected, book }, { received: sent, rejected: {}, book: sent });
    }
    const { received, dropped, portDrops } = await gateway.stop();
    assert.deepEqual(
      { received, dropped, portDrops },
      { received: one.sent + other.sent, dropped: {}, portDrops: {} },
    );
  });

  it('lets an application answer from its flow, by the address of the interface', async (t) => {
    const setpriv = requireAll(t);
    if (setpriv === undefined) return;
    using veth = testVeth();
    using folder = new SocketFolder();
    const path = folder.socket('echo');
    await using gateway = await Gateway.open(veth, { [`memif:${path}?mode=0660`]: 'udp:9000' });
    await using _echo = Command.unprivileged(setpriv, APP_GROUP, [
      ...['echo', `memif:${path}`, '--idle', 'block'],
    ]);
    await gateway.connected(0);
    assert.equal(await runIn(veth.a, clientOf(veth.b.address, 9000)), '100');
    const { destinations } = await gateway.stop();
    assert.ok(destinations[0]!.out.sent >= 100);
    assert.deepEqual(destinations[0]!.out.dropped, {});
  });

  it('loses nothing of one application when another stalls or is killed, and finds the next one in its place', async (t) => {
    const setpriv = requireAll(t);
    if (setpriv === undefined) return;
    using veth = testVeth();
    using folder = new SocketFolder();
    const paths = ['mortal', 'steady'].map((name) => folder.socket(name));
    await using gateway = await Gateway.open(veth, {
      [`memif:${paths[0]}?mode=0660`]: 'udp:9000',
      [`memif:${paths[1]}?mode=0660`]: 'udp:9001',
    });
    await using mortal = bookOn(setpriv, paths[0]!, 9000);
    await using steady = bookOn(setpriv, paths[1]!, 9001);
    await gateway.connected(0);
    await gateway.connected(1);
    using one = new OrderSender(veth, 9000);
    using other = new OrderSender(veth, 9001);
    one.start();
    other.start();
    await until('orders pass', () => gateway.at(0).in.sent > 500);
    mortal.child.kill('SIGSTOP');
    await until('its ring is full', () => (gateway.at(0).in.dropped.full ?? 0) > 100);
    mortal.child.kill('SIGCONT');
    const stalled = gateway.at(0).in.sent;
    await until('it goes on', () => gateway.at(0).in.sent > stalled + 500);
    await mortal.kill();
    await gateway.connected(0, false);
    await until('its frames are counted', () => (gateway.at(0).in.dropped.notConnected ?? 0) > 500);
    await using next = bookOn(setpriv, paths[0]!, 9000);
    await gateway.connected(0);
    const before = gateway.at(0).in.sent;
    await until('orders pass again', () => gateway.at(0).in.sent > before + 500);
    one.stop();
    other.stop();
    await until('all is forwarded', () => gateway.at(1).in.sent >= other.sent);
    await steady.received(other.sent);
    const steadyEnd = await steady.interrupt();
    assert.equal(steadyEnd.received, other.sent);
    assert.equal(steadyEnd.book, other.sent);
    const { destinations } = await gateway.stop();
    const [{ in: into }, { in: intoSteady }] = destinations as [DestinationReading, DestinationReading];
    assert.deepEqual(intoSteady, { sent: other.sent, dropped: {} });
    const lost = Object.values(into.dropped).reduce((sum, count) => sum + count, 0);
    assert.equal(into.sent + lost, one.sent);
    await next.received(500);
  });

  it('gives nothing to who has the wrong secret, or is not in the group', async (t) => {
    const setpriv = requireAll(t);
    if (setpriv === undefined) return;
    using veth = testVeth();
    using folder = new SocketFolder();
    const path = folder.socket('guarded');
    const secret = folder.secret('secret', 'open sesame\n');
    const wrong = folder.secret('wrong', 'open barley\n');
    await using gateway = await Gateway.open(veth, {
      [`memif:${path}?mode=0660&secretFile=${secret}`]: 'udp:9000',
    });
    using sender = new OrderSender(veth, 9000);
    sender.start();
    for (const [group, via] of [
      [APP_GROUP, `memif:${path}`],
      [APP_GROUP, `memif:${path}?secretFile=${wrong}`],
      [APP_GROUP + 1, `memif:${path}`],
    ] as const) {
      const args = ['receive', '--via', via, '--port', '9000', '--seconds', '1', '--json'];
      await using refused = Command.unprivileged(setpriv, group, args);
      await refused.ended;
      assert.equal((JSON.parse(refused.out) as { received: number }).received, 0, refused.err);
      assert.doesNotMatch(refused.out + refused.err, /sesame|barley/);
      assert.equal(gateway.at(0).in.sent, 0);
    }
    await using welcome = bookOn(setpriv, `${path}?secretFile=${secret}`, 9000);
    await until('orders pass', () => gateway.at(0).in.sent > 100);
    await welcome.received(100);
  });

  it('is replaced by the next gateway after kill -9, and the application goes on', async (t) => {
    const setpriv = requireAll(t);
    if (setpriv === undefined) return;
    using veth = testVeth();
    using folder = new SocketFolder();
    const path = folder.socket('app');
    const args = [
      ...['gateway', '--from', `xdp:${veth.b.name}`, '--json'],
      ...['--to', `memif:${path}?mode=0660`, '--flow', 'udp:9000'],
      ...['--to', `memif:${path}2?mode=0660`, '--flow', 'udp:9001', '--flow', 'udp:9002'],
    ];
    const readings = ({ out }: Command): GatewayReading[] =>
      out
        .split('\n')
        .filter((line) => line.endsWith('}'))
        .map((line) => JSON.parse(line) as GatewayReading);
    const sent = (command: Command): number => readings(command).at(-1)?.destinations[0]?.in.sent ?? 0;
    await using first = Command.privileged(veth.b, args);
    await using app = bookOn(setpriv, path, 9000);
    using sender = new OrderSender(veth, 9000);
    sender.start();
    await until(`the first gateway forwards: ${first.err}`, () => sent(first) > 0);
    await first.kill();
    await using second = Command.privileged(veth.b, args);
    await until(`the second gateway forwards: ${second.err}`, () => sent(second) > 0);
    sender.stop();
    assert.match(second.err, /^Forwarding from xdp:vb: .*\nto memif:.*app: /);
    const end = (await second.interrupt()) as unknown as GatewayReading;
    await app.received(end.destinations[0]!.in.sent + sent(first));
  });
});
