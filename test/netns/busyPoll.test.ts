import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { Burst } from '../../src/core/index.ts';
import {
  addNeighbour,
  deferInterrupts,
  enableBusyPoll,
  incomingNapi,
  leakedFds,
  link,
  type Napi,
  napis,
  netdevInfo,
  nicQueues,
  SystemError,
  setBusyPoll,
  setLink,
  setOffloads,
  UdpSocket,
  withNetns,
} from '../../src/sys/index.ts';
import { mountSysfs, SysfsAttribute } from '../../src/sys/sysfs.ts';
import { XdpInterface } from '../../src/xdp/index.ts';
import { requireRoot } from '../support/requirements.ts';
import { type TestVeth, testVeth, type VethEnd } from '../support/vethPair.ts';

const sys = new URL('../../src/sys/index.ts', import.meta.url).href;
const UDP_PORT = 4242;
const deferral = { deferHardIrqs: 2, groFlushTimeoutNs: 200_000 };
const none = { deferHardIrqs: 0, groFlushTimeoutNs: 0 };
/** Longer than any test: whatever arrives before was asked for. */
const NEVER_NS = 60e9;

/** Runs `run` over a veth pair whose ends poll by a NAPI each, as they do with GRO. */
function overVeth(name: string, run: (veth: TestVeth, t: TestContext) => void | Promise<void>): void {
  test(name, async (t) => {
    if (!requireRoot(t)) return;
    const open = leakedFds().length;
    {
      using veth = testVeth();
      for (const end of [veth.a, veth.b]) at(end, () => setOffloads(end.name, { gro: true }));
      at(veth.a, () => addNeighbour(veth.a.name, veth.b.address, veth.b.mac));
      at(veth.b, () => addNeighbour(veth.b.name, veth.a.address, veth.a.mac));
      if (napisOf(veth.a)[0]?.deferHardIrqs === undefined)
        t.skip('needs NAPIs with settings of their own (Linux 6.13)');
      else await run(veth, t);
    }
    assert.equal(leakedFds().length, open, 'a descriptor was left open');
  });
}

const at = <T>(end: VethEnd, run: () => T): T => withNetns(end.namespace, run);

function napisOf(end: VethEnd): Napi[] {
  return at(end, () => napis(link(end.name).index) ?? []);
}

/** What the NAPIs of an interface are set to. */
function deferralsOf(
  end: VethEnd,
): { deferHardIrqs: number | undefined; groFlushTimeoutNs: number | undefined }[] {
  return napisOf(end).map(({ deferHardIrqs, groFlushTimeoutNs }) => ({ deferHardIrqs, groFlushTimeoutNs }));
}

/** What an interface is set to as a whole. */
function ownDeferral({ name, namespace }: VethEnd): string[] {
  return withNetns(namespace, () => {
    using sysfs = mountSysfs();
    return ['napi_defer_hard_irqs', 'gro_flush_timeout'].map((file) => {
      using attribute = new SysfsAttribute(sysfs, `class/net/${name}/${file}`);
      return attribute.text;
    });
  });
}

/** Runs without any capability, as root that has put them down. */
function unprivileged<T>(run: () => T): T {
  process.seteuid!(65534);
  try {
    return run();
  } finally {
    process.seteuid!(0);
  }
}

function receiver(end: VethEnd): UdpSocket {
  return at(end, () => new UdpSocket({ address: end.address, port: UDP_PORT, burst: 64 }));
}

function sender(from: VethEnd, to: VethEnd): UdpSocket {
  return at(from, () => new UdpSocket({ peer: { address: to.address, port: UDP_PORT } }));
}

function send(socket: UdpSocket, count: number): void {
  for (let i = 0; i < count; i++) assert.ok(socket.reserve(64) >= 0);
  assert.equal(socket.flush(), count);
}

/** Receives `count` datagrams, however late a busy machine brings them. */
function receiveAll(socket: UdpSocket, count: number): void {
  const end = performance.now() + 5000;
  let got = 0;
  while (got < count) {
    const more = socket.receive(64);
    if (more > 0) got += more;
    assert.ok(performance.now() < end, `${got} of ${count} datagrams came`);
  }
  assert.equal(got, count);
}

/** Frames that busy polling took from devices of a namespace. */
function busyPolled(end: VethEnd): number {
  const text = at(end, () => readFileSync('/proc/thread-self/net/netstat', 'utf8'));
  const [names, values] = text.split('\n').filter((line) => line.startsWith('TcpExt:'));
  return Number(values!.split(' ')[names!.split(' ').indexOf('BusyPollRxPackets')]);
}

overVeth('netdevInfo() tells what veth can do for XDP, and that loopback can do nothing', ({ a }) => {
  const veth = at(a, () => netdevInfo(link(a.name).index));
  assert.ok(veth, 'this kernel has no netlink family netdev');
  for (const feature of ['basic', 'redirect', 'rx-sg'] as const)
    assert.ok(veth.xdpFeatures.has(feature), feature);
  assert.ok(!veth.xdpFeatures.has('xsk-zerocopy'));
  assert.ok(veth.rxMetadata.has('hash'));
  assert.equal(veth.zcMaxSegments, 0);
  assert.equal(at(a, () => netdevInfo(link('lo').index))?.xdpFeatures.size, 0);
});

overVeth('netdevInfo(), napis() and nicQueues() name an interface that is missing', () => {
  for (const ask of [netdevInfo, napis, nicQueues]) {
    assert.throws(() => ask(999_999), /interface 999999: ENODEV/);
  }
});

overVeth('netdevInfo() answers for the namespace of the calling thread', ({ a }) => {
  const { index } = at(a, () => link(a.name));
  assert.throws(() => netdevInfo(index + 1_000_000), SystemError);
  assert.ok(at(a, () => netdevInfo(index)));
});

overVeth(
  'napis() lists one NAPI for each receiving queue of veth while it polls, none when it is down',
  ({ a }) => {
    const [napi, ...others] = napisOf(a);
    assert.ok(napi && napi.id > 0);
    assert.equal(others.length, 0);
    assert.equal(napi.irq, undefined);
    assert.equal(napi.pid, undefined);
    at(a, () => setLink(a.name, { up: false }));
    assert.deepEqual(napisOf(a), []);
  },
);

overVeth('nicQueues() lists the queues of both directions', ({ a }) => {
  const queues = at(a, () => nicQueues(link(a.name).index));
  assert.deepEqual(
    queues?.map(({ id, type, xsk }) => ({ id, type, xsk })),
    [
      { id: 0, type: 'rx', xsk: false },
      { id: 0, type: 'tx', xsk: false },
    ],
  );
});

overVeth('deferInterrupts() sets NAPIs, leaves the interface as it was, and restores once', ({ a }) => {
  const deferred = at(a, () => deferInterrupts(a.name, deferral));
  assert.equal(deferred.via, 'netdev');
  assert.deepEqual(deferred.reasons, []);
  assert.deepEqual(
    deferred.was,
    napisOf(a).map(({ id }) => ({ napiId: id, ...none })),
  );
  assert.deepEqual(deferralsOf(a), [deferral]);
  assert.deepEqual(ownDeferral(a), ['0', '0']);
  deferred.restore();
  assert.deepEqual(deferralsOf(a), [none]);

  using other = at(a, () => deferInterrupts(a.name, { ...deferral, deferHardIrqs: 7 }));
  deferred.restore();
  assert.deepEqual(deferralsOf(a), [{ ...deferral, deferHardIrqs: 7 }]);
  assert.deepEqual(
    other.was.map(({ deferHardIrqs }) => deferHardIrqs),
    [0],
  );
});

overVeth('deferInterrupts() restores what somebody else had set, from another namespace too', ({ a }) => {
  const theirs = { deferHardIrqs: 5, groFlushTimeoutNs: 2 ** 33 };
  using _ = at(a, () => deferInterrupts(a.name, theirs));
  const ours = at(a, () => deferInterrupts(a.name, deferral));
  ours.restore();
  assert.deepEqual(deferralsOf(a), [theirs]);
});

overVeth('deferInterrupts() sets the interface where it has no NAPI, leaving no mount', ({ a }) => {
  at(a, () => setOffloads(a.name, { gro: false }));
  const mounts = readFileSync('/proc/thread-self/mountinfo', 'utf8');
  const deferred = at(a, () => deferInterrupts(a.name, deferral));
  assert.equal(deferred.via, 'sysfs');
  assert.match(deferred.reasons.join(), /All of va defers interrupts/);
  assert.deepEqual(ownDeferral(a), ['2', '200000']);
  assert.equal(readFileSync('/proc/thread-self/mountinfo', 'utf8'), mounts);

  // NAPIs that come later begin with what their interface has.
  at(a, () => setOffloads(a.name, { gro: true }));
  assert.deepEqual(deferralsOf(a), [deferral]);
  deferred.restore();
  deferred.restore();
  assert.deepEqual(ownDeferral(a), ['0', '0']);
  assert.deepEqual(deferralsOf(a), [none]);
});

overVeth('an interface keeps its deferral when it is renamed in between', ({ a }) => {
  at(a, () => setOffloads(a.name, { gro: false }));
  const deferred = at(a, () => deferInterrupts(a.name, deferral));
  at(a, () => {
    setLink(a.name, { up: false });
    setLink(a.name, { name: 'renamed' });
  });
  deferred.restore();
  assert.deepEqual(ownDeferral({ ...a, name: 'renamed' }), ['0', '0']);
});

overVeth('deferInterrupts() changes nothing when one of its values is out of range', ({ a }) => {
  for (const wrong of [{ deferHardIrqs: 2 ** 31 }, { deferHardIrqs: 0.5 }, { groFlushTimeoutNs: -1 }]) {
    assert.throws(() => at(a, () => deferInterrupts(a.name, { ...deferral, ...wrong })), RangeError);
  }
  assert.deepEqual(deferralsOf(a), [none]);
});

overVeth('a value of sysfs that is refused takes the other one back', async ({ a }) => {
  const { interfaceHolder } = await import('../../src/sys/deferralHolders.ts');
  using holders = at(a, () => interfaceHolder(a.name));
  const [holder] = holders.all;
  assert.throws(() => holder!.set({ ...deferral, deferHardIrqs: 2 ** 31 }), /napi_defer_hard_irqs: ERANGE/);
  assert.deepEqual(ownDeferral(a), ['0', '0']);
});

overVeth('deferInterrupts() refuses a NAPI of another interface, and names it', ({ a, b }) => {
  const [foreign] = napisOf(b);
  assert.throws(
    () => at(a, () => deferInterrupts(a.name, deferral, [foreign!.id])),
    new RegExp(`Cannot find NAPI ${foreign!.id} of interface \\d+: ENOENT`),
  );
});

overVeth('deferInterrupts() without privileges is EPERM and changes nothing', ({ a }) => {
  const refused = at(a, () =>
    unprivileged(() => {
      try {
        deferInterrupts(a.name, deferral);
      } catch (error) {
        return error;
      }
      return undefined;
    }),
  );
  assert.ok(refused instanceof SystemError, String(refused));
  assert.equal(refused.code, 'EPERM');
  assert.match(refused.message, /^Cannot change NAPI \d+: EPERM. .*CAP_NET_ADMIN/);
  assert.deepEqual(deferralsOf(a), [none]);
});

overVeth('a restore after the NAPI or the interface has gone is quiet', ({ a }) => {
  const first = at(a, () => deferInterrupts(a.name, deferral));
  at(a, () => setOffloads(a.name, { gro: false }));
  first.restore();
});

overVeth('what a killed process left is found at the next start and put back', async ({ a }) => {
  const code = `
    const { NetworkNamespace, deferInterrupts } = await import('${sys}');
    NetworkNamespace.open('${a.namespace.path}').enter();
    deferInterrupts('${a.name}', ${JSON.stringify(deferral)});
    console.log('deferred');
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.deepEqual(deferralsOf(a), [deferral], 'the kernel keeps it');

  const next = at(a, () => deferInterrupts(a.name, deferral));
  assert.match(
    next.reasons.join(),
    /deferred interrupts already \(2 polls, 200000 ns\): left by a killed process/,
  );
  next.restore();
  assert.deepEqual(deferralsOf(a), [none]);
});

overVeth('setBusyPoll() sets and reads back all three options', ({ a }) => {
  using socket = receiver(a);
  assert.deepEqual(setBusyPoll(socket.fd, { usecs: 33, budget: 128, prefer: true }), {
    usecs: 33,
    budget: 128,
    prefer: true,
    reasons: [],
  });
  assert.deepEqual(setBusyPoll(socket.fd, { usecs: 0, budget: 0, prefer: false }), {
    usecs: 0,
    budget: 0,
    prefer: false,
    reasons: [],
  });
});

overVeth('setBusyPoll() names every option that it may not set, and sets the others', ({ a }) => {
  using socket = receiver(a);
  const got = unprivileged(() => setBusyPoll(socket.fd, { usecs: 20, budget: 64, prefer: true }));
  assert.deepEqual(
    { ...got, reasons: got.reasons.length },
    { usecs: 20, budget: 0, prefer: false, reasons: 2 },
  );
  assert.match(got.reasons[0]!, /^Cannot busy-poll with prefer true: EPERM. .*CAP_NET_ADMIN/);
  assert.match(got.reasons[1]!, /^Cannot busy-poll with budget 64: EPERM. .*CAP_NET_ADMIN/);
});

overVeth('setBusyPoll() gives a reason for a budget that no kernel takes', ({ a }) => {
  using socket = receiver(a);
  const got = setBusyPoll(socket.fd, { usecs: 20, budget: 70_000, prefer: true });
  assert.equal(got.budget, 0);
  assert.match(got.reasons.join(), /with budget 70000: EINVAL/);
});

overVeth('a socket that busy-polls fetches its frames itself: no interrupt brings them', ({ a, b }) => {
  using socket = receiver(a);
  using out = sender(b, a);
  send(out, 1);
  receiveAll(socket, 1);
  assert.equal(incomingNapi(socket.fd), napisOf(a)[0]!.id);
  using polling = at(a, () => enableBusyPoll([socket.fd], a.name, { groFlushTimeoutNs: NEVER_NS }));
  assert.ok(polling.engaged);
  assert.deepEqual(polling.reasons, []);
  assert.deepEqual([polling.usecs, polling.budget, polling.prefer], [20, 64, true]);

  // The interrupt that is still enabled brings the first frame; then it is deferred.
  send(out, 1);
  receiveAll(socket, 1);
  const before = busyPolled(a);
  for (let round = 0; round < 100; round++) {
    send(out, 16);
    receiveAll(socket, 16);
  }
  const polled = busyPolled(a) - before;
  assert.ok(polled > 1500, `${polled} of 1600 frames came by busy polling`);
});

overVeth(
  'enableBusyPoll() defers nothing before a socket has a NAPI, and engages once it has',
  ({ a, b }) => {
    using socket = receiver(a);
    using out = sender(b, a);
    const polling = at(a, () => enableBusyPoll([socket.fd], a.name, {}, [0]));
    assert.ok(!polling.engaged);
    assert.match(polling.reasons.join(), /^no busy polling on va queue 0: the kernel names no NAPI/);
    assert.deepEqual(deferralsOf(a), [none]);

    send(out, 1);
    receiveAll(socket, 1);
    assert.ok(polling.engage(), 'from the namespace of the test');
    assert.deepEqual(polling.reasons, []);
    assert.deepEqual(deferralsOf(a), [deferral]);
    assert.deepEqual(
      polling.deferrals.map(({ via }) => via),
      ['netdev'],
    );
    polling.engage();
    assert.equal(polling.deferrals.length, 1, 'a NAPI is deferred once');
    polling.restore();
    polling.restore();
    assert.deepEqual(deferralsOf(a), [none]);
  },
);

for (const attach of ['native', 'generic'] as const) {
  overVeth(
    `an AF_XDP socket in ${attach} mode gets its frames whether it can busy-poll or not`,
    ({ a, b }) => {
      using xdp = at(a, () => new XdpInterface({ interface: a.name, flows: [{ port: UDP_PORT }], attach }));
      using out = sender(b, a);
      const socket = xdp.sockets[0]!;
      const burst = new Burst(64);
      const receiveFrames = (count: number): void => {
        const end = performance.now() + 5000;
        for (let got = 0; got < count; socket.recycle(burst)) {
          got += socket.rx(burst);
          assert.ok(performance.now() < end, `${got} of ${count} frames came`);
        }
      };
      send(out, 1);
      receiveFrames(1);
      using polling = at(a, () => enableBusyPoll([socket.fd], a.name, { groFlushTimeoutNs: NEVER_NS }));
      // A NAPI that is deferred for a socket without one would keep its frames for a minute.
      assert.equal(polling.engaged, incomingNapi(socket.fd) !== 0);
      if (attach === 'generic') assert.ok(!polling.engaged);
      if (!polling.engaged) {
        assert.match(polling.reasons.join(), /names no NAPI/);
        send(out, 16);
        receiveFrames(16);
      }
    },
  );
}
