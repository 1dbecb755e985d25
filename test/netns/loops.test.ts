import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { LoopSample, LoopStart } from '../../src/lane/index.ts';
import { PORT_SCHEMES } from '../../src/port/index.ts';
import { createVethPair, link, NetworkNamespace, setLink, withNetns } from '../../src/sys/index.ts';
import { requireRoot } from '../support/requirements.ts';
import { testVeth } from '../support/vethPair.ts';

// `barewire rxdrop|txonly|l2fwd|echo` as processes of their own, at the ends of veth pairs.

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** A command that runs, and what it has printed. */
class Running {
  readonly child: ChildProcess;
  out = '';
  err = '';
  readonly #closed: Promise<unknown[]>;

  constructor(namespace: NetworkNamespace, args: readonly string[]) {
    this.child = withNetns(namespace, () =>
      spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }),
    );
    this.#closed = once(this.child, 'close');
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
    });
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.err += text;
    });
  }

  /** Resolves once the loop runs and has printed something; with --json that is how it runs. */
  async started(): Promise<LoopStart> {
    if (this.out === '') await Promise.race([once(this.child.stdout!, 'data'), this.#closed]);
    assert.notEqual(this.out, '', this.err);
    return JSON.parse(this.out.split('\n', 1)[0]!) as LoopStart;
  }

  /** Waits for the end, which has to be a good one. @returns what was counted in all */
  async all(): Promise<LoopSample> {
    const [code] = await this.#closed;
    assert.equal(code, 0, this.err);
    const last = JSON.parse(this.out.trim().split('\n').at(-1)!) as LoopSample;
    assert.equal(last.label, 'all');
    return last;
  }

  /** Interrupts it and waits for the end. */
  stop(signal: NodeJS.Signals): Promise<LoopSample> {
    this.child.kill(signal);
    return this.all();
  }

  /** Waits for the end, which has to be a bad one. @returns what it said */
  async failed(): Promise<string> {
    const [code] = await this.#closed;
    assert.equal(code, 1, this.out);
    return this.err;
  }
}

/** A txonly by AF_XDP, for a second. */
const source = (namespace: NetworkNamespace, name: string, mac: string): Running =>
  new Running(namespace, ['txonly', `xdp:${name}`, '--mac', mac, '--seconds', '1', '--json']);

/** Two hosts, each with `net`, and a middle with the other ends, `to0` and `to1`; gone when closed or killed. */
class Line implements Disposable {
  readonly hosts = [NetworkNamespace.create(), NetworkNamespace.create()] as const;
  readonly middle = NetworkNamespace.create();

  constructor() {
    for (const [i, host] of this.hosts.entries()) {
      withNetns(host, () => {
        createVethPair({ name: 'net', peerName: `to${i}`, peerNamespace: this.middle });
        setLink('net', { up: true });
      });
      withNetns(this.middle, () => setLink(`to${i}`, { up: true }));
    }
  }

  [Symbol.dispose](): void {
    for (const namespace of [...this.hosts, this.middle]) namespace.close();
  }
}

describe('barewire rxdrop, txonly, l2fwd, echo', () => {
  const vias = ['xdp', 'packet'].filter((scheme) => PORT_SCHEMES.includes(scheme));
  for (const via of vias) {
    for (const verb of ['rxdrop', 'l2fwd', 'echo']) {
      it(`${verb} takes over ${via}: what txonly sends`, async (t) => {
        if (!requireRoot(t)) return;
        using veth = testVeth();
        const { namespace, name } = veth.b;
        const loop = new Running(namespace, [verb, `${via}:${name}`, '-b', '32', '--json']);
        const start = await loop.started();
        assert.deepEqual([start.verb, start.burst, start.ports[0]!.via], [verb, 32, via]);
        const sent = await source(veth.a.namespace, veth.a.name, veth.b.mac).all();
        assert.ok(sent.txPps > 0);
        const all = await loop.stop('SIGTERM');
        assert.ok(all.rxPps > 0, JSON.stringify(all));
        assert.equal(all.txPps > 0, verb !== 'rxdrop', JSON.stringify(all));
        assert.equal(withNetns(namespace, () => link(name)).xdp, undefined);
      });
    }
  }

  it('txonly sends frames of the length and to the address that it is told', async (t) => {
    if (!requireRoot(t)) return;
    using veth = testVeth();
    const { a, b } = veth;
    const args = ['txonly', `xdp:${a.name}`, '--mac', b.mac, '-s', '200', '--seconds', '0.3', '--json'];
    const all = await new Running(a.namespace, args).all();
    assert.equal(Math.round((all.txMbps * 1e6) / 8 / all.txPps), 200);
    assert.ok(all.wakeupsPerSecond! > 0);
  });

  it('l2fwd moves frames between two interfaces on one umem without a copy, both ways', async (t) => {
    if (!requireRoot(t)) return;
    using line = new Line();
    const ports = ['xdp:to0?debug=true', 'xdp:to1?debug=true'];
    const loop = new Running(line.middle, ['l2fwd', ...ports, '--json']);
    const start = await loop.started();
    assert.equal(start.copies, false);
    assert.deepEqual(
      start.ports.map(({ spec }) => spec),
      ports,
    );
    for (const [i, from] of line.hosts.entries()) {
      const drop = new Running(line.hosts[1 - i]!, ['rxdrop', 'xdp:net', '--json']);
      await drop.started();
      const { mac } = withNetns(line.middle, () => link(`to${i}`));
      await source(from, 'net', mac!).all();
      const dropped = await drop.stop('SIGINT');
      assert.ok(dropped.rxPps > 0, `from host ${i}`);
    }
    // A ledger that does not come out even would be an error of the umem when it is closed.
    const all = await loop.stop('SIGINT');
    assert.ok(all.rxPps > 0 && all.txPps > 0);
  });

  it('l2fwd says that frames are copied when the ports want memory of different kinds', async (t) => {
    if (!requireRoot(t)) return;
    using line = new Line();
    const args = ['l2fwd', 'xdp:to0?chunk=4096', 'xdp:to1', '--seconds', '0.2'];
    const loop = new Running(line.middle, args);
    await once(loop.child, 'close');
    assert.match(
      loop.err,
      /^l2fwd on xdp:to0\?chunk=4096 \(.*\) and xdp:to1 \(.*\); frames are copied from one to the other$/m,
    );
    assert.match(loop.out, /^ +second +rx pps .*\n +1 .*\n +all /);
  });

  it('draws a sweep into a file', async (t) => {
    if (!requireRoot(t)) return;
    using veth = testVeth();
    const { a, b } = veth;
    const folder = mkdtempSync(join(tmpdir(), 'barewire-plot-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'sweep.html');
    const args = ['txonly', `xdp:${a.name}`, '--mac', b.mac, '--plot', file, '--seconds', '0.1'];
    const loop = new Running(a.namespace, args);
    const [code] = await once(loop.child, 'close');
    assert.equal(code, 0, loop.err);
    assert.match(loop.err, new RegExp(`^Wrote ${file}$`, 'm'));
    assert.equal(loop.out.trim().split('\n').length, 10, 'a header and nine bursts');
    assert.match(readFileSync(file, 'utf8'), /"bursts":\[1,2,4,8,16,32,64,128,256\]/);
  });

  it('ends with an error when the interface goes away', async (t) => {
    if (!requireRoot(t)) return;
    using veth = testVeth();
    const { a, b } = veth;
    const loop = new Running(b.namespace, ['rxdrop', `xdp:${b.name}`, '--json']);
    await loop.started();
    a.namespace.close();
    assert.match(await loop.failed(), /^barewire: .*vb.*(ENETDOWN|ENODEV|ENXIO)/m);
  });

  it('refuses what cannot be, and says why', async (t) => {
    if (!requireRoot(t)) return;
    using veth = testVeth();
    const cases: readonly [readonly string[], RegExp][] = [
      [['rxdrop'], /missing required argument/],
      [['rxdrop', 'loop:a', 'loop:b'], /too many arguments/],
      [['rxdrop', 'eth0'], /Cannot read port spec/],
      [['rxdrop', 'fish:a'], /no port "fish:"/],
      [['txonly', 'xdp:va'], /Cannot send on xdp:va: say where to with --mac/],
      [['txonly', 'xdp:va', '--mac', 'fish'], /Cannot parse MAC address "fish"/],
      [['echo', 'xdp:nope'], /Cannot find interface nope/],
      [['echo', 'xdp:va', '--idle', 'never'], /Allowed choices are busySpin, yield, backoff, block/],
    ];
    await Promise.all(
      cases.map(async ([args, message]) => {
        const err = await new Running(veth.a.namespace, args).failed();
        assert.match(err, message);
        assert.doesNotMatch(err, /\n {4}at /, 'no stack for an error of the user');
      }),
    );
  });
});
