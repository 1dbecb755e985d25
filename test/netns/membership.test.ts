import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { Burst } from '../../src/core/index.ts';
import { libc } from '../../src/ffi/index.ts';
import {
  addRoute,
  Fd,
  GroupMembership,
  type GroupSpec,
  leakedFds,
  link,
  NetworkNamespace,
  PromiscuousMode,
  SystemError,
  UdpSocket,
  withNetns,
} from '../../src/sys/index.ts';
import { AF_PACKET, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_RAW } from '../../src/sys/uapi/index.ts';
import { formatIp } from '../../src/wire/index.ts';
import { XdpInterface } from '../../src/xdp/index.ts';
import { requireRoot } from '../support/requirements.ts';
import { type TestVeth, testVeth, type VethEnd } from '../support/vethPair.ts';

/** The end of promiscuous mode costs one of the kernel's grace periods, some 15 ms. */
const CYCLES = process.env.BAREWIRE_SOAK === '1' ? 1000 : 50;

const sys = new URL('../../src/sys/index.ts', import.meta.url).href;

function onVeth(name: string, run: (veth: TestVeth) => void | Promise<void>): void {
  test(name, async (t) => {
    if (!requireRoot(t)) return;
    const open = leakedFds().length;
    {
      using veth = testVeth();
      await run(veth);
    }
    assert.equal(leakedFds().length, open, 'a descriptor was left open');
  });
}

// ---- What the far end hears -----------------------------------------------------------------------------------------

/** RFC 3376 §4.2.12 and RFC 3810 §5.2.12: what a report says of a group. */
const recordTypes = ['', 'is in', 'is ex', 'to in', 'to ex', 'allow', 'block'] as const;

/** Hears every frame that reaches an end of a veth pair. */
class Ear implements Disposable {
  readonly #fd: Fd;
  readonly #frame: DataView<ArrayBuffer> = new DataView(new ArrayBuffer(2048));
  /** `239.1.2.3 to ex {}` */
  readonly heard: string[] = [];

  constructor(end: VethEnd) {
    const ALL_PROTOCOLS = 0x0300; // ETH_P_ALL in network order
    const fd = withNetns(end.namespace, () =>
      libc.socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, ALL_PROTOCOLS),
    );
    this.#fd = new Fd(fd, 'ear');
  }

  /** Waits until a report says `wanted`. */
  async waitFor(wanted: string): Promise<void> {
    for (const end = performance.now() + 5000; performance.now() < end; await pause(10)) {
      this.#listen();
      if (this.heard.includes(wanted)) return;
    }
    assert.fail(`wanted "${wanted}", heard ${this.heard.join(', ') || 'nothing'}`);
  }

  #listen(): void {
    for (;;) {
      const len = libc.recvfrom(this.#fd.fd, this.#frame, this.#frame.byteLength, 0, null, null);
      if (len < 0) return;
      const type = this.#frame.getUint16(12);
      if (type === 0x0800) this.#igmp();
      else if (type === 0x86dd) this.#mld();
    }
  }

  #igmp(): void {
    const at = 14 + 4 * (this.#frame.getUint8(14) & 15);
    if (this.#frame.getUint8(23) === 2 && this.#frame.getUint8(at) === 0x22) this.#records(at, 4);
  }

  #mld(): void {
    // Behind the hop-by-hop options that carry the router alert.
    const at = 14 + 40 + 8;
    const behind = this.#frame.getUint8(20) === 0 && this.#frame.getUint8(54) === 58;
    if (behind && this.#frame.getUint8(at) === 143) this.#records(at, 16);
  }

  #records(at: number, addressLen: 4 | 16): void {
    const count = this.#frame.getUint16(at + 6);
    let next = at + 8;
    const address = (): string => {
      const bytes = new Uint8Array(this.#frame.buffer, next, addressLen);
      next += addressLen;
      return formatIp(bytes);
    };
    for (let i = 0; i < count; i++) {
      const type = recordTypes[this.#frame.getUint8(next)];
      const sources = this.#frame.getUint16(next + 2);
      next += 4;
      const group = address();
      this.heard.push(`${group} ${type} {${Array.from({ length: sources }, address).join()}}`);
    }
  }

  close(): void {
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const join = ({ b }: TestVeth, group: string, source?: string): GroupMembership =>
  withNetns(
    b.namespace,
    () => new GroupMembership({ interface: b.name, group, ...(source === undefined ? {} : { source }) }),
  );

// ---- Groups ---------------------------------------------------------------------------------------------------------

for (const [group, source, otherSource] of [
  ['239.1.2.3', '10.9.0.1', '10.9.0.7'],
  ['ff15::abcd', 'fd00::1', 'fd00::7'],
] as const) {
  onVeth(`the far end hears when a GroupMembership of ${group} begins and ends`, async (veth) => {
    using ear = new Ear(veth.a);
    const membership = join(veth, group);
    await ear.waitFor(`${group} to ex {}`);
    assert.ok(!ear.heard.includes(`${group} to in {}`));
    membership.close();
    membership.close();
    await ear.waitFor(`${group} to in {}`);
  });

  onVeth(`the far end hears the sources for which ${group} is joined, one by one`, async (veth) => {
    using ear = new Ear(veth.a);
    using first = join(veth, group, source);
    assert.equal(first.source, source);
    await ear.waitFor(`${group} allow {${source}}`);
    const second = join(veth, group, otherSource);
    await ear.waitFor(`${group} allow {${otherSource}}`);
    second.close();
    await ear.waitFor(`${group} block {${otherSource}}`);
    assert.ok(!ear.heard.includes(`${group} block {${source}}`));
  });
}

onVeth('one interface joins more groups than one socket could', (veth) => {
  const memberships = Array.from({ length: 50 }, (_, i) => join(veth, `239.9.0.${i}`));
  assert.equal(new Set(memberships.map(({ group }) => group)).size, 50);
  for (const membership of memberships) membership.close();
});

onVeth(
  'the frames of a joined group come to AF_XDP while the kernel reports the membership',
  async (veth) => {
    const [group, port] = ['239.1.2.4', 9000];
    using ear = new Ear(veth.a);
    using xdp = withNetns(
      veth.b.namespace,
      () =>
        new XdpInterface({
          interface: veth.b.name,
          flows: [{ port, address: group }],
          rxSize: 64,
          txSize: 64,
        }),
    );
    using _membership = join(veth, group);
    await ear.waitFor(`${group} to ex {}`);
    using sender = withNetns(veth.a.namespace, () => {
      addRoute({ destination: '224.0.0.0/4', interface: veth.a.name });
      return new UdpSocket({ peer: { address: group, port } });
    });
    for (let i = 0; i < 5; i++) {
      sender.reserve(25);
      assert.equal(sender.flush(), 1);
    }
    const burst = new Burst(32);
    let received = 0;
    for (const end = performance.now() + 3000; received < 5 && performance.now() < end; ) {
      received += xdp.sockets[0]!.rx(burst);
      xdp.sockets[0]!.recycle(burst);
    }
    assert.equal(received, 5);
  },
);

onVeth('GroupMembership refuses what is no group, and names an interface that is missing', ({ b }) => {
  const refuses = (spec: Partial<GroupSpec>, message: RegExp): void =>
    assert.throws(
      () =>
        withNetns(b.namespace, () => new GroupMembership({ interface: b.name, group: '239.1.2.3', ...spec })),
      { name: 'TypeError', message },
    );
  refuses({ group: '10.0.0.1' }, /want an address of 224\.0\.0\.0\/4 or ff00::\/8, got 10\.0\.0\.1/);
  refuses({ group: '240.0.0.1' }, /224\.0\.0\.0\/4/);
  refuses({ group: 'fe80::1' }, /ff00::\/8/);
  refuses({ source: 'fd00::1' }, /want a source of its IP version/);
  assert.throws(
    () => withNetns(b.namespace, () => new GroupMembership({ interface: 'v9', group: '239.1.2.3' })),
    (error) => error instanceof SystemError && error.code === 'ENODEV' && /v9/.test(error.message),
  );
});

// ---- Promiscuous mode -----------------------------------------------------------------------------------------------

const promiscuity = ({ b }: TestVeth): number => withNetns(b.namespace, () => link(b.name).promiscuity);

onVeth('each PromiscuousMode is counted until it is closed', (veth) => {
  const open = (): PromiscuousMode => withNetns(veth.b.namespace, () => new PromiscuousMode(veth.b.name));
  assert.equal(promiscuity(veth), 0);
  const first = open();
  assert.equal(promiscuity(veth), 1);
  const second = open();
  assert.equal(promiscuity(veth), 2);
  first.close();
  first.close();
  assert.equal(promiscuity(veth), 1);
  second.close();
  assert.equal(promiscuity(veth), 0);
});

onVeth('PromiscuousMode names an interface that is missing', ({ b }) => {
  assert.throws(
    () => withNetns(b.namespace, () => new PromiscuousMode('v9')),
    (error) => error instanceof SystemError && error.code === 'ENODEV' && /v9/.test(error.message),
  );
});

// ---- Kill -9 --------------------------------------------------------------------------------------------------------

onVeth('a killed process leaves its groups and its promiscuous mode', async (veth) => {
  using ear = new Ear(veth.a);
  const code = `
    import { GroupMembership, NetworkNamespace, PromiscuousMode } from '${sys}';
    NetworkNamespace.open('${veth.b.namespace.path}').enter();
    const held = [
      new GroupMembership({ interface: '${veth.b.name}', group: '239.1.2.5' }),
      new GroupMembership({ interface: '${veth.b.name}', group: 'ff15::5' }),
      new PromiscuousMode('${veth.b.name}'),
    ];
    console.log(held.length);
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  using _killed = { [Symbol.dispose]: () => child.kill('SIGKILL') };
  await once(child.stdout, 'data');
  await ear.waitFor('239.1.2.5 to ex {}');
  await ear.waitFor('ff15::5 to ex {}');
  assert.equal(promiscuity(veth), 1);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await ear.waitFor('239.1.2.5 to in {}');
  await ear.waitFor('ff15::5 to in {}');
  for (const end = performance.now() + 3000; promiscuity(veth) > 0 && performance.now() < end; )
    await pause(10);
  assert.equal(promiscuity(veth), 0);
});

test(`memberships and promiscuous mode open and close ${CYCLES} times without a trace`, (t) => {
  if (!requireRoot(t)) return;
  const open = leakedFds().length;
  {
    using namespace = NetworkNamespace.create();
    withNetns(namespace, () => {
      for (let i = 0; i < CYCLES; i++) {
        new GroupMembership({ interface: 'lo', group: 'ff15::1' }).close();
        new PromiscuousMode('lo').close();
      }
      assert.equal(link('lo').promiscuity, 0);
    });
  }
  assert.equal(leakedFds().length, open);
});
