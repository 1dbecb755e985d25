import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { BpfProgram, verdictProgramSpec, XdpLink } from '../../src/bpf/index.ts';
import { Burst } from '../../src/core/index.ts';
import {
  deleteLink,
  interfaceInfo,
  leakedFds,
  link,
  SystemError,
  UdpSocket,
  withNetns,
} from '../../src/sys/index.ts';
import { Umem, XdpInterface, type XdpInterfaceSpec, XdpSocket } from '../../src/xdp/index.ts';
import { TEST_UDP_PORT } from '../support/frames.ts';
import { requireRoot } from '../support/requirements.ts';
import { type TestVeth, testVeth } from '../support/vethPair.ts';

/** Each costs some 30 ms of the kernel's grace periods; `npm run soak` takes them all. */
const CYCLES = process.env.BAREWIRE_SOAK === '1' ? 1000 : 200;

const flows = [{ port: TEST_UDP_PORT }];

/** Runs a case with a veth pair of its own. */
function onVeth(
  name: string,
  run: (veth: TestVeth, t: TestContext) => void | Promise<void>,
  queues = 1,
): void {
  it(name, async (t) => {
    if (!requireRoot(t)) return;
    const before = leakedFds().length;
    {
      using veth = testVeth({ queues });
      await run(veth, t);
    }
    assert.equal(leakedFds().length, before, 'descriptors left open');
  });
}

function open(veth: TestVeth, more: Partial<XdpInterfaceSpec> = {}): XdpInterface {
  return withNetns(
    veth.b.namespace,
    () => new XdpInterface({ interface: veth.b.name, flows, mode: 'copy', rxSize: 64, txSize: 64, ...more }),
  );
}

/** Sends `count` datagrams from the far end's kernel. */
function send(veth: TestVeth, count: number, port = TEST_UDP_PORT): void {
  using socket = withNetns(
    veth.a.namespace,
    () => new UdpSocket({ peer: { address: veth.b.address, port }, burst: 32, maxLen: 64 }),
  );
  for (let left = count; left > 0; ) {
    for (let i = 0; i < Math.min(32, left) && socket.reserve(25) >= 0; i++);
    left -= Math.max(0, socket.flush());
  }
}

/** Receives until nothing comes for a while; recycles, or keeps, what it got. */
function receiveAll(socket: XdpSocket, keep?: Burst[]): number {
  let total = 0;
  for (let idle = 0; idle < 50_000; ) {
    const burst = new Burst(32);
    const count = socket.rx(burst);
    if (count === 0) idle++;
    else if (keep === undefined) socket.recycle(burst);
    else keep.push(burst);
    total += count;
  }
  return total;
}

const errorOf = (run: () => unknown): Error => {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
};

describe('AF_XDP on a real interface', () => {
  onVeth('receives the datagrams of its flow that the far kernel sends', (veth) => {
    using xdp = open(veth);
    assert.equal(xdp.attachMode, 'native');
    assert.deepEqual(xdp.reasons, []);
    send(veth, 50);
    assert.equal(receiveAll(xdp.sockets[0]!), 50);
    assert.equal(xdp.flowCounters().redirected, 50);
  });

  onVeth('leaves the datagrams of other flows to the kernel', (veth) => {
    using xdp = open(veth);
    using kernel = withNetns(veth.b.namespace, () => new UdpSocket({ port: 9001 }));
    send(veth, 20, 9001);
    let received = 0;
    for (let i = 0; i < 1000 && received < 20; i++) received += kernel.receive(32);
    assert.equal(received, 20);
    assert.equal(receiveAll(xdp.sockets[0]!), 0);
    assert.ok(xdp.flowCounters().otherFlow >= 20);
  });

  onVeth('counts a starved fill ring, loses only what arrived meanwhile, and recovers', (veth) => {
    using xdp = open(veth, { debug: true });
    const socket = xdp.sockets[0]!;
    const kept: Burst[] = [];
    // 128 chunks on the fill ring; all are taken and none given back.
    for (let i = 0; i < 10; i++) {
      send(veth, 32);
      receiveAll(socket, kept);
    }
    const starved = socket.statistics();
    assert.ok(starved.rxFillRingEmpty > 0, 'the kernel found the fill ring empty');
    assert.ok(starved.rxDropped > 0, 'and dropped frames');
    assert.equal(
      starved.rxFrames + starved.rxDropped + starved.rxRingFull,
      320,
      'every frame is accounted for',
    );
    for (const burst of kept) socket.recycle(burst);
    send(veth, 32);
    assert.equal(receiveAll(socket), 32);
    const owners = socket.umem.pool.ledger!.audit();
    assert.equal(owners.application, 0);
    assert.equal(owners.free + owners.fill, socket.umem.chunkCount);
  });

  onVeth('counts a full rx ring', (veth) => {
    using xdp = open(veth);
    send(veth, 200);
    const { rxRingFull } = xdp.sockets[0]!.statistics();
    assert.equal(receiveAll(xdp.sockets[0]!) + rxRingFull, 200);
    assert.ok(rxRingFull > 0);
  });

  onVeth('says ENETDOWN when the interface is removed while it receives, and closes cleanly', (veth) => {
    using xdp = open(veth);
    withNetns(veth.b.namespace, () => deleteLink(veth.b.name));
    const error = errorOf(() => {
      const burst = new Burst(8);
      for (let i = 0; i < 1_000_000; i++) xdp.sockets[0]!.rx(burst);
    });
    assert.ok(error instanceof SystemError);
    assert.equal(error.code, 'ENETDOWN');
    assert.match(error.message, /vb queue 0/);
    assert.match(error.hint!, /ip link/);
  });

  onVeth('says so as well to one who sends on a removed interface', (veth) => {
    using xdp = open(veth);
    const socket = xdp.sockets[0]!;
    const burst = new Burst(1);
    socket.alloc(burst, 1);
    burst.len[0] = 60;
    withNetns(veth.b.namespace, () => deleteLink(veth.b.name));
    assert.equal(socket.tx(burst), 1);
    const error = errorOf(() => {
      for (let i = 0; i < 100; i++) {
        socket.flush();
        socket.assertAlive();
      }
    });
    assert.ok(error instanceof SystemError);
    assert.match(error.code, /ENETDOWN|ENXIO/);
  });
});

describe('AF_XDP refuses with cause and remedy', () => {
  onVeth('an interface that is missing', (veth) => {
    const error = errorOf(() => open(veth, { interface: 'eth9' }));
    assert.ok(error instanceof SystemError);
    assert.equal(error.code, 'ENODEV');
    assert.match(error.message, /eth9.*lo, vb/s);
  });

  onVeth('a queue that is missing', (veth) => {
    assert.match(errorOf(() => open(veth, { queues: [3] })).message, /vb queue 3: it has queues 0 to 0/);
  });

  onVeth('an interface with another XDP program, which it names', (veth) => {
    using other = BpfProgram.load(verdictProgramSpec('XDP_PASS'));
    using _ = withNetns(veth.b.namespace, () => XdpLink.attach(other, interfaceInfo(veth.b.name)));
    const error = errorOf(() => open(veth));
    assert.ok(error instanceof SystemError);
    assert.match(error.code, /EBUSY|EEXIST/);
    assert.match(error.message, new RegExp(`\\b${other.info().id}\\b`));
    assert.match(error.message, new RegExp(other.spec.name));
  });

  onVeth('a queue that another socket owns', (veth) => {
    using first = open(veth);
    const error = errorOf(() => open(veth));
    assert.ok(error instanceof SystemError);
    assert.equal(error.code, 'EBUSY');
    assert.match(error.message, /vb queue 0.*ss --xdp/s);
    assert.equal(first.sockets.length, 1);
  });

  onVeth(
    'one queue of two that somebody owns, under strict; else it says which and why, and opens the other',
    (veth) => {
      using umem = new Umem({ chunkCount: 64 });
      const index = withNetns(veth.b.namespace, () => link(veth.b.name).index);
      const spec = { interface: veth.b.name, ifindex: index, queue: 1, umem, rxSize: 16, txSize: 16 };
      using _owner = withNetns(veth.b.namespace, () => new XdpSocket(spec));
      assert.throws(() => open(veth, { strict: true }), /vb queue 1: EBUSY/);
      using xdp = open(veth);
      assert.deepEqual(
        xdp.sockets.map(({ queue }) => queue),
        [0],
      );
      assert.deepEqual(
        xdp.unopened.map(({ queue }) => queue),
        [1],
      );
      assert.match(xdp.reasons.join(), /queue 1 not opened: .*EBUSY/);
    },
    2,
  );

  onVeth('ring sizes that are no power of two', (veth) => {
    assert.match(errorOf(() => open(veth, { rxSize: 100 })).message, /power of two.*200|got 100/);
    assert.match(errorOf(() => open(veth, { txSize: 100 })).message, /power of two up to 2\^24, got 100/);
  });

  onVeth('a fill ring smaller than twice the rx ring', (veth) => {
    using umem = new Umem({ chunkCount: 64 });
    const ifindex = withNetns(veth.b.namespace, () => link(veth.b.name).index);
    const spec = { interface: veth.b.name, ifindex, queue: 0, umem, rxSize: 64, fillSize: 64 };
    assert.throws(
      () => withNetns(veth.b.namespace, () => new XdpSocket(spec)),
      /fill ring must be at least 128/,
    );
  });

  it('a umem that is too large, or whose chunks the kernel cannot take', () => {
    assert.throws(() => new Umem({ chunkCount: 1 << 20 }), /exceed the limit of 2 GiB - 1; ask for at most/);
    assert.throws(() => new Umem({ chunkCount: 8, chunkLen: 1000 as 2048 }), /2048 or 4096/);
    assert.throws(() => new Umem({ chunkCount: 8, headroom: 1792 }), /headroom must be 0 to 1791/);
  });
});

describe('AF_XDP leaves nothing behind', () => {
  onVeth(`after a socket was opened and closed ${CYCLES} times`, (veth) => {
    const ifindex = withNetns(veth.b.namespace, () => link(veth.b.name).index);
    const cycle = (): void => {
      using umem = new Umem({ chunkCount: 64 });
      using _ = withNetns(
        veth.b.namespace,
        () => new XdpSocket({ interface: veth.b.name, ifindex, queue: 0, umem, rxSize: 16, txSize: 16 }),
      );
    };
    for (let i = 0; i < 20; i++) cycle();
    const fds = readdirSync('/proc/self/fd').length;
    const mappings = mappingsOfSockets();
    for (let i = 0; i < CYCLES; i++) cycle();
    assert.equal(readdirSync('/proc/self/fd').length, fds);
    assert.equal(mappingsOfSockets(), mappings);
  });

  onVeth('after an interface was opened and closed again and again', (veth) => {
    for (let i = 0; i < 20; i++) open(veth).close();
    assert.equal(
      withNetns(veth.b.namespace, () => link(veth.b.name).xdp),
      undefined,
    );
    using again = open(veth);
    send(veth, 10);
    assert.equal(receiveAll(again.sockets[0]!), 10);
  });

  onVeth('after kill -9: nothing is attached, and the next start works at once', async (veth) => {
    const script = `
      import { NetworkNamespace } from ${JSON.stringify(new URL('../../src/sys/index.ts', import.meta.url).href)};
      import { XdpInterface } from ${JSON.stringify(new URL('../../src/xdp/index.ts', import.meta.url).href)};
      NetworkNamespace.open(process.env.TEST_NETNS).enter();
      globalThis.xdp = new XdpInterface({ interface: 'vb', flows: [{ port: ${TEST_UDP_PORT} }] });
      console.log('attached');
      setTimeout(() => {}, 60_000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, TEST_NETNS: veth.b.namespace.path },
    });
    await once(child.stdout, 'data');
    assert.notEqual(
      withNetns(veth.b.namespace, () => link(veth.b.name).xdp),
      undefined,
    );
    child.kill('SIGKILL');
    await once(child, 'exit');
    for (let i = 0; i < 100 && withNetns(veth.b.namespace, () => link(veth.b.name).xdp); i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(
      withNetns(veth.b.namespace, () => link(veth.b.name).xdp),
      undefined,
    );
    using xdp = open(veth);
    send(veth, 10);
    assert.equal(receiveAll(xdp.sockets[0]!), 10);
  });
});

/** Lines of /proc/self/maps that are rings of a socket. */
function mappingsOfSockets(): number {
  return readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.includes('socket:')).length;
}
