import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import {
  addAddress,
  addNeighbour,
  addRoute,
  addresses,
  channels,
  createVethPair,
  deleteLink,
  features,
  interfaceInfo,
  leakedFds,
  link,
  links,
  NetworkNamespace,
  neighbours,
  routes,
  SystemError,
  setChannels,
  setFeatures,
  setLink,
  setOffloads,
  UdpSocket,
  withNetns,
} from '../../src/sys/index.ts';
import { requireRoot } from '../support/requirements.ts';

const sys = new URL('../../src/sys/index.ts', import.meta.url).href;

/** Two namespaces with a veth pair between them, both ends up: v0 with 10.0.0.1 and v1 with 10.0.0.2. */
class Pair implements Disposable {
  readonly left: NetworkNamespace = NetworkNamespace.create();
  readonly right: NetworkNamespace = NetworkNamespace.create();

  constructor(queues = 1) {
    withNetns(this.left, () => {
      createVethPair({
        name: 'v0',
        peerName: 'v1',
        peerNamespace: this.right,
        rxQueues: queues,
        txQueues: queues,
        mac: '02:00:00:00:00:01',
        peerMac: '02:00:00:00:00:02',
      });
      setLink('v0', { up: true });
      addAddress('v0', '10.0.0.1/24');
      addAddress('v0', 'fd00::1/64', { noDad: true });
    });
    withNetns(this.right, () => {
      setLink('v1', { up: true });
      addAddress('v1', '10.0.0.2/24');
      addAddress('v1', 'fd00::2/64', { noDad: true });
    });
  }

  [Symbol.dispose](): void {
    this.left.close();
    this.right.close();
  }
}

function failsWith(code: string, message: RegExp, run: () => unknown): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof SystemError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

function privileged(name: string, run: (t: TestContext) => void | Promise<void>): void {
  test(name, async (t) => {
    if (!requireRoot(t)) return;
    using home = NetworkNamespace.current();
    const open = leakedFds().length;
    await run(t);
    assert.equal(leakedFds().length, open, 'a descriptor was left open');
    using now = NetworkNamespace.current();
    assert.equal(now.id, home.id, 'the thread is back in its own namespace');
  });
}

privileged('a new namespace has nothing but its loopback, which is up', () => {
  using namespace = NetworkNamespace.create();
  withNetns(namespace, () => {
    assert.deepEqual(
      links().map(({ name, up, loopback }) => ({ name, up, loopback })),
      [{ name: 'lo', up: true, loopback: true }],
    );
  });
});

privileged('withNetns() returns what the function returns and comes back when it throws', () => {
  using namespace = NetworkNamespace.create();
  using home = NetworkNamespace.current();
  const inside = withNetns(namespace, () => {
    using current = NetworkNamespace.current();
    return current.id;
  });
  assert.equal(inside, namespace.id);
  assert.notEqual(inside, home.id);
  assert.throws(() => withNetns(namespace, () => assert.fail('on purpose')), /on purpose/);
  assert.throws(() => withNetns(namespace, async () => undefined), TypeError);
});

privileged('withNetns() nests', () => {
  using outer = NetworkNamespace.create();
  using inner = NetworkNamespace.create();
  withNetns(outer, () => {
    withNetns(inner, () => createVethPair({ name: 'a0', peerName: 'a1' }));
    assert.equal(links().length, 1);
  });
  withNetns(inner, () => assert.equal(links().length, 3));
});

privileged('other threads stay where they are, and one reaches a namespace by its path', async () => {
  using namespace = NetworkNamespace.create();
  using home = NetworkNamespace.current();
  const code = `
    import { parentPort, workerData } from 'node:worker_threads';
    const { NetworkNamespace } = await import(workerData.sys);
    const before = NetworkNamespace.current().id;
    NetworkNamespace.open(workerData.path).enter();
    parentPort.postMessage({ before, after: NetworkNamespace.current().id });
  `;
  const worker = new Worker(code, { eval: true, workerData: { sys, path: namespace.path } });
  const [said] = (await once(worker, 'message')) as [{ before: number; after: number }];
  assert.deepEqual(said, { before: home.id, after: namespace.id });
  await worker.terminate();
});

privileged('another process reaches a namespace by its path', () => {
  using namespace = NetworkNamespace.create();
  const code = `import { NetworkNamespace } from '${sys}'; console.log(NetworkNamespace.open('${namespace.path}').id);`;
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
  assert.equal(Number(said), namespace.id);
});

privileged('a killed process leaves no namespace, and no veth end in ours', async () => {
  using namespace = NetworkNamespace.create();
  const code = `
    import { NetworkNamespace, createVethPair, withNetns } from '${sys}';
    const ours = NetworkNamespace.create();
    const theirs = NetworkNamespace.open('${namespace.path}');
    withNetns(theirs, () => createVethPair({ name: 'v0', peerName: 'v1', peerNamespace: ours }));
    console.log(ours.id);
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const holders = (): number => holdersOf(Number(String(said)));
  assert.ok(holders() > 0);
  assert.equal(
    withNetns(namespace, () => link('v0').kind),
    'veth',
  );
  child.kill('SIGKILL');
  await once(child, 'exit');
  // The kernel takes a namespace apart in a worker of its own.
  for (let waited = 0; withNetns(namespace, links).length > 1 && waited < 5000; waited += 20) await pause(20);
  assert.equal(withNetns(namespace, links).length, 1);
  assert.equal(holders(), 0);
});

/** Counts the threads that are in a namespace and the descriptors that hold it. */
function holdersOf(id: number): number {
  const name = `net:[${id}]`;
  const paths = readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    const fds = list(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`);
    return [...fds, ...list(`/proc/${pid}/task`).map((tid) => `/proc/${pid}/task/${tid}/ns/net`)];
  });
  return paths.filter((path) => {
    try {
      return readlinkSync(path) === name;
    } catch {
      return false;
    }
  }).length;
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

privileged('NetworkNamespace opens and closes 1,000 times without a trace', () => {
  for (let i = 0; i < 1000; i++) NetworkNamespace.create().close();
});

privileged('createVethPair() makes what it was told', async () => {
  using pair = new Pair(3);
  // The kernel notices a carrier in a worker of its own.
  const running = (): boolean => withNetns(pair.left, () => link('v0').running);
  for (let waited = 0; !running() && waited < 5000; waited += 20) await pause(20);
  assert.equal(running(), true);
  const ends = [withNetns(pair.left, () => link('v0')), withNetns(pair.right, () => link('v1'))];
  for (const [i, end] of ends.entries()) {
    assert.equal(end.kind, 'veth');
    assert.equal(end.mac, `02:00:00:00:00:0${i + 1}`);
    assert.equal(end.rxQueues, 3);
    assert.equal(end.txQueues, 3);
    assert.equal(end.mtu, 1500);
    assert.equal(end.up, true);
    assert.equal(end.xdp, undefined);
  }
});

privileged('a veth pair carries UDP both ways', () => {
  using pair = new Pair();
  for (const address of ['10.0.0.2', 'fd00::2']) {
    using server = withNetns(pair.right, () => new UdpSocket({ address }));
    using client = withNetns(pair.left, () => new UdpSocket({ peer: server.local }));
    client.sendView.setUint32(client.reserve(4), 42);
    assert.equal(client.flush(), 1);
    assert.equal(receiveOne(server), 1);
    assert.equal(server.view.getUint32(server.offset[0]!), 42);
    assert.deepEqual(server.sender(0), client.local);
    server.reply(0, 4);
    assert.equal(server.flush(), 1);
    assert.equal(receiveOne(client), 1);
  }
});

/** Neighbour resolution takes a moment. */
function receiveOne(socket: UdpSocket): number {
  const end = performance.now() + 3000;
  for (;;) {
    const n = socket.receive(1);
    if (n !== 0 || performance.now() > end) return n;
  }
}

privileged('setLink() changes mtu, mac, name and state, and moves a link to another namespace', () => {
  using pair = new Pair();
  withNetns(pair.left, () => {
    setLink('v0', { up: false });
    assert.equal(link('v0').up, false);
    setLink('v0', { name: 'w0', mtu: 1400, mac: '02:00:00:00:00:09' });
    const { mtu, mac, up } = link('w0');
    assert.deepEqual({ mtu, mac, up }, { mtu: 1400, mac: '02:00:00:00:00:09', up: false });
    setLink('w0', { namespace: pair.right });
    failsWith('ENODEV', /^Cannot find interface w0: ENODEV\. This network namespace has lo$/, () =>
      link('w0'),
    );
  });
  withNetns(pair.right, () => assert.equal(link('w0').mtu, 1400));
});

privileged('deleteLink() takes the peer along', () => {
  using pair = new Pair();
  withNetns(pair.right, () => deleteLink('v1'));
  withNetns(pair.left, () =>
    assert.deepEqual(
      links().map(({ name }) => name),
      ['lo'],
    ),
  );
});

privileged('what is missing or taken is named, with the kernel’s own words', () => {
  using pair = new Pair();
  withNetns(pair.left, () => {
    failsWith('ENODEV', /This network namespace has lo, v0$/, () => interfaceInfo('v9'));
    failsWith('ENODEV', /^Cannot count features of v9/, () => features('v9'));
    failsWith('EEXIST', /^Cannot create veth pair v0, v7: EEXIST.*`ip link`/, () =>
      createVethPair({ name: 'v0', peerName: 'v7' }),
    );
    failsWith('EEXIST', /^Cannot add address 10\.0\.0\.1\/24 to v0: EEXIST \(.*already assigned\)/, () =>
      addAddress('v0', '10.0.0.1/24'),
    );
    failsWith('EINVAL', /^Cannot change v0: EINVAL \(mtu less than device minimum\)$/, () =>
      setLink('v0', { mtu: 1 }),
    );
    failsWith('ENETUNREACH', /^Cannot add route to 11\.0\.0\.0\/8: ENETUNREACH \(.*\)\. The next hop/, () =>
      addRoute({ destination: '11.0.0.0/8', via: '12.0.0.1' }),
    );
    assert.throws(() => link('a-name-of-16-char'), TypeError);
  });
});

privileged('addresses, routes and neighbours read back as they were added', () => {
  using pair = new Pair();
  withNetns(pair.left, () => {
    addRoute({ destination: '0.0.0.0/0', via: '10.0.0.2' });
    addRoute({ destination: '12.0.0.0/8', interface: 'v0' });
    addRoute({ destination: 'fd01::/64', via: 'fd00::2', interface: 'v0' });
    addNeighbour('v0', '10.0.0.7', '02:00:00:00:00:07');
    addNeighbour('v0', 'fd00::7', '02:00:00:00:00:07');
    const { index } = link('v0');
    const text = addresses('v0').map(({ address, prefixLen }) => `${address}/${prefixLen}`);
    assert.ok(text.includes('10.0.0.1/24') && text.includes('fd00::1/64'), text.join());
    const all = routes();
    for (const wanted of [
      { destination: '0.0.0.0/0', via: '10.0.0.2', index },
      { destination: '10.0.0.0/24', via: undefined, index },
      { destination: '12.0.0.0/8', via: undefined, index },
      { destination: 'fd01::/64', via: 'fd00::2', index },
    ]) {
      assert.ok(
        all.some((route) => JSON.stringify(route) === JSON.stringify(wanted)),
        wanted.destination,
      );
    }
    const known = neighbours('v0').filter(({ permanent }) => permanent);
    assert.deepEqual(known.map(({ address }) => address).sort(), ['10.0.0.7', 'fd00::7']);
    assert.ok(known.every(({ mac }) => mac === '02:00:00:00:00:07'));
  });
});

privileged('interfaceInfo() agrees with the kernel’s own listing of a thread', () => {
  using pair = new Pair(2);
  withNetns(pair.left, () => {
    const info = interfaceInfo('v0');
    assert.equal(info.driver?.name, 'veth');
    assert.equal(info.nicQueues, 2);
    assert.equal(info.deviceRings, undefined);
    assert.deepEqual(info.channels?.max, { rx: 2, tx: 2, combined: 0 });
    assert.ok(info.addresses.includes('10.0.0.1/24'));
    const counted = readFileSync('/proc/thread-self/net/dev', 'utf8').trim().split('\n').length - 2;
    assert.equal(links().length, counted);
    assert.equal(interfaceInfo('lo').driver, undefined);
  });
});

privileged('setOffloads() switches whole groups of features', () => {
  using pair = new Pair();
  withNetns(pair.left, () => {
    const active = (pattern: RegExp): string[] =>
      [...features('v0')].filter(([name, { active }]) => active && pattern.test(name)).map(([name]) => name);
    assert.ok(active(/^tx-checksum-/).length > 0);
    setOffloads('v0', { txChecksum: false, segmentation: false, gro: true });
    assert.deepEqual(active(/^tx-checksum-|segmentation$/), []);
    assert.deepEqual(active(/^rx-gro$/), ['rx-gro']);
    setOffloads('v0', { txChecksum: true, segmentation: true, gro: false });
    assert.ok(active(/^tx-checksum-/).length > 0);
    assert.ok(active(/segmentation$/).length > 0);
    assert.deepEqual(active(/^rx-gro$/), []);
  });
});

privileged('setFeatures() refuses what the device does not switch', () => {
  using pair = new Pair();
  withNetns(pair.left, () => {
    failsWith('EOPNOTSUPP', /^Cannot switch rx-hashing on of v0: EOPNOTSUPP/, () =>
      setFeatures('v0', { 'rx-hashing': true }),
    );
    assert.throws(() => setFeatures('v0', { 'no-such-feature': true }), RangeError);
  });
});

privileged('setChannels() changes how many nicQueues there are', () => {
  using pair = new Pair(4);
  withNetns(pair.left, () => {
    setChannels('v0', { rx: 2 });
    assert.deepEqual(channels('v0'), { rx: 2, tx: 4, combined: 0, max: { rx: 4, tx: 4, combined: 0 } });
    assert.equal(interfaceInfo('v0').nicQueues, 2);
    failsWith('EINVAL', /^Cannot change channels of v0/, () => setChannels('v0', { rx: 5 }));
  });
});

privileged(
  'startThreadPool() leaves every thread but the lane on the housekeeping cores, in home and unscheduled',
  (t) => {
    const code = `
    import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
    import { readFile } from 'node:fs/promises';
    import { NetworkNamespace, allowedCores, pinThread, scheduling, setRealtime, startThreadPool } from '${sys}';
    const allowed = allowedCores();
    const laneCore = allowed.at(-1);
    const house = startThreadPool({ laneCores: [laneCore] });
    pinThread(laneCore);
    const realtime = setRealtime(1);
    NetworkNamespace.create().enter();
    await readFile('/proc/self/status');
    const tasks = readdirSync('/proc/self/task').map((tid) => ({
      lane: Number(tid) === process.pid,
      name: readFileSync('/proc/self/task/' + tid + '/comm', 'utf8').trim(),
      cores: allowedCores(Number(tid)),
      policy: scheduling(Number(tid)).policy,
      namespace: readlinkSync('/proc/self/task/' + tid + '/ns/net'),
    }));
    console.log(JSON.stringify({ allowed, laneCore, house, realtime, tasks }));
  `;
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
    const { allowed, laneCore, house, realtime, tasks } = JSON.parse(said) as {
      allowed: number[];
      laneCore: number;
      house: { cores: number[]; threads: number; reason?: string };
      realtime: { policy: string; resetOnFork: boolean; reason?: string };
      tasks: { lane: boolean; name: string; cores: number[]; policy: string; namespace: string }[];
    };
    if (allowed.length < 2) return t.skip('needs two cores');
    assert.equal(house.reason, undefined);
    assert.ok(house.threads > 4, 'the pool and the caller were moved');
    assert.ok(!house.cores.includes(laneCore));
    assert.equal(realtime.policy, realtime.reason === undefined ? 'fifo' : 'normal');
    assert.equal(realtime.resetOnFork, realtime.reason === undefined);
    assert.ok(tasks.filter(({ name }) => name.startsWith('libuv')).length >= 4, 'the pool runs');
    for (const { lane, name, cores, policy, namespace } of tasks) {
      assert.deepEqual(cores, lane ? [laneCore] : house.cores, name);
      assert.equal(policy, lane ? realtime.policy : 'normal', name);
      assert.equal(namespace === readlinkSync('/proc/thread-self/ns/net'), !lane, name);
    }
  },
);
