import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { Burst } from '../../src/core/index.ts';
import { libc } from '../../src/ffi/index.ts';
import { PacketPort } from '../../src/port/index.ts';
import {
  check,
  deleteLink,
  Fd,
  leakedFds,
  link,
  NetworkNamespace,
  SystemError,
  setLink,
  withNetns,
} from '../../src/sys/index.ts';
import { IFF_NO_PI, IFF_TUN, ifreq, O_CLOEXEC, O_RDWR, TUNSETIFF } from '../../src/sys/uapi/index.ts';
import { udpFrame } from '../support/frames.ts';
import { requireRoot, requireTool } from '../support/requirements.ts';
import type { VethEnd } from '../support/vethPair.ts';
import { onVeth, openAt, receiveFrames, sendFrames, until } from './packetRig.ts';

/** Opening and closing wait for several of the kernel's grace periods: 55 ms. */
const CYCLES = process.env.BAREWIRE_SOAK === '1' ? 1000 : 50;
const A = Uint8Array.of(2, 0, 0, 0, 0, 1);
const B = Uint8Array.of(2, 0, 0, 0, 0, 2);
const FLOWS = [{ version: 4, port: 9000, address: undefined }] as const;

const put = ({ namespace, name }: VethEnd, up: boolean): void =>
  withNetns(namespace, () => setLink(name, { up }));
const gone = (error: unknown): boolean =>
  error instanceof SystemError &&
  ['ENETDOWN', 'ENXIO'].includes(error.code) &&
  /packet socket of v[ab]: .*ip link/.test(error.message);

test(`a packet port opens and closes ${CYCLES} times without a trace`, (t) => {
  if (!requireRoot(t)) return;
  const open = leakedFds().length;
  {
    using namespace = NetworkNamespace.create();
    withNetns(namespace, () => {
      for (let i = 0; i < CYCLES; i++) {
        const port = new PacketPort({ interface: 'lo', frameLen: 2048, rxSize: 16, txSize: 16 });
        port.close();
        port.close();
        assert.throws(() => port.regions[0]!.view.getUint8(0), TypeError);
      }
    });
  }
  assert.equal(leakedFds().length, open);
});

onVeth('a closed port leaves promiscuous mode', async ({ b }) => {
  const promiscuity = (): number => withNetns(b.namespace, () => link(b.name).promiscuity);
  const port = openAt(b, { promiscuous: true, groups: ['239.1.2.3', 'ff15::1'] });
  assert.equal(promiscuity(), 1);
  port.close();
  await until('promiscuous mode ends', () => promiscuity() === 0);
});

onVeth('an interface that is missing, or of another namespace, is named', ({ a, b }) => {
  for (const name of ['nope', a.name]) {
    assert.throws(
      () => withNetns(b.namespace, () => new PacketPort({ interface: name })),
      (error) => error instanceof SystemError && error.code === 'ENODEV' && error.message.includes(name),
    );
  }
});

onVeth('an interface whose frames have no Ethernet header is refused', ({ b }) => {
  withNetns(b.namespace, () => {
    const fd = libc.open('/dev/net/tun', O_RDWR | O_CLOEXEC, 0);
    using tun = new Fd(check(fd, 'Cannot open', 'open', '/dev/net/tun'), 'tun of a test');
    const request = new DataView(new ArrayBuffer(ifreq.sizeof));
    new TextEncoder().encodeInto('tun0', new Uint8Array(request.buffer));
    request.setUint16(ifreq.ifr_ifru, IFF_TUN | IFF_NO_PI, true);
    check(libc.ioctl(tun.fd, TUNSETIFF, request), 'Cannot make', 'ioctl(TUNSETIFF)', 'tun0');
    assert.throws(() => new PacketPort({ interface: 'tun0' }), {
      name: 'UnsupportedError',
      message: /^A packet port on tun0 is not available here \(needs an interface with Ethernet frames\)/,
    });
  });
});

onVeth('sizes that make no sense are refused, and nothing stays open', ({ b }) => {
  const refused = [
    [{ rxSize: 100 }, /rx ring must be a power of two from 16 to 65536, got 100/],
    [{ txSize: 8 }, /tx ring must be a power of two from 16 to 65536, got 8/],
    [{ frameLen: 1024 }, /frame length must be a power of two from 2048 to 131072, got 1024/],
    [{ headroom: 4096 }, /headroom must be an integer from 0 to 1024, got 4096/],
    [{ frameLen: 1 << 17, rxSize: 1 << 15 }, /memory must be at most 2147483647 bytes/],
  ] as const;
  for (const [spec, message] of refused)
    assert.throws(() => openAt(b, spec), { name: 'RangeError', message });
});

onVeth('a removed interface ends rx(), flush() and arm() with a SystemError', ({ a, b }) => {
  using port = openAt(b, { flows: FLOWS });
  const burst = new Burst(4);
  assert.equal(port.alloc(burst, 1), 1);
  burst.len[0] = 60;
  assert.equal(port.tx(burst), 1);
  withNetns(a.namespace, () => deleteLink(a.name));
  assert.throws(() => port.flush(), gone);
  assert.throws(() => port.arm(), gone);
  assert.throws(() => {
    for (let i = 0; i < 100_000; i++) port.rx(burst);
  }, gone);
  assert.equal(port.statistics().rxFrames, 0);
});

onVeth(
  'an interface that is down receives nothing, cannot send, and goes on when it is up again',
  async ({ a, b }) => {
    put(b, false);
    using receiver = openAt(b, { flows: FLOWS });
    using sender = openAt(a);
    const running = (): boolean => withNetns(a.namespace, () => link(a.name).running);
    for (let round = 0; round < 3; round++) {
      put(b, true);
      await until('both ends run', running);
      sendFrames(sender, [udpFrame(A, B, 30, round)]);
      receiveFrames(receiver, 1);
      sendFrames(receiver, [udpFrame(B, A, 30, round)]);
      put(b, false);
      assert.equal(receiver.arm(), true, 'it sleeps');
      assert.throws(() => sendFrames(receiver, [udpFrame(B, A, 30, round)]), gone);
      assert.equal(receiver.rx(new Burst(4)), 0);
    }
    // What waited on the tx ring goes out then.
    put(b, true);
    await until('both ends run', running);
    receiver.flush();
    assert.equal(receiver.arm(), true);
  },
);

test('without privilege it says which capability is missing', async (t) => {
  if (!requireRoot(t)) return;
  const setpriv = requireTool(t, 'setpriv');
  if (setpriv === undefined) return;
  const code = `
    import { openPort } from '${new URL('../../src/port/index.ts', import.meta.url).href}';
    try { openPort('packet:lo'); } catch (error) { console.log(error.message); }
  `;
  const args = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath];
  const child = spawn(setpriv, [...args, '--input-type=module', '-e', code]);
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  assert.deepEqual(await once(child, 'close'), [0, null]);
  assert.match(out, /^Cannot open packet:lo: EPERM\. It needs CAP_NET_RAW; .*run as root/);
});
