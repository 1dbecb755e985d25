import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BpfProgram,
  FLOW_SOCKETS,
  redirectProgramSpec,
  verdictProgramSpec,
  XdpLink,
} from '../../src/bpf/index.ts';
import { libc } from '../../src/ffi/index.ts';
import { Fd, link, withNetns } from '../../src/sys/index.ts';
import { AF_XDP, XDP_DROP, XDP_PASS, XDP_REDIRECT } from '../../src/sys/uapi/index.ts';
import { HandmadeXdpSocket, waitUntil } from '../support/handmadeXdpSocket.ts';
import { requireRoot } from '../support/requirements.ts';
import { testVeth } from '../support/vethPair.ts';

const frame: Uint8Array = new Uint8Array(60).fill(0xff);

/** What the program returns for frames that come in one after the other by a nicQueue. */
function verdicts(
  program: BpfProgram,
  count: number,
  run: { ifindex?: number; rxQueue?: number } = {},
): number[] {
  return Array.from({ length: count }, () => program.testRun({ frame, ...run }).returned);
}

test('a redirect program sends every frame to the socket of its nicQueue, and passes it where there is none', (t) => {
  if (!requireRoot(t)) return;
  using veth = testVeth({ queues: 2 });
  using socket = new Fd(libc.socket(AF_XDP, 3, 0), 'AF_XDP socket');
  using program = BpfProgram.load(redirectProgramSpec({ sockets: 2 }));
  program.map(FLOW_SOCKETS).update(1, socket.fd);
  withNetns(veth.a.namespace, () => {
    const ifindex = link(veth.a.name).index;
    assert.deepEqual(verdicts(program, 2, { ifindex, rxQueue: 0 }), [XDP_PASS, XDP_PASS]);
    assert.deepEqual(verdicts(program, 2, { ifindex, rxQueue: 1 }), [XDP_REDIRECT, XDP_REDIRECT]);
  });
});

test('a redirect program with an index sends every frame there', (t) => {
  if (!requireRoot(t)) return;
  using socket = new Fd(libc.socket(AF_XDP, 3, 0), 'AF_XDP socket');
  using program = BpfProgram.load(redirectProgramSpec({ sockets: 4, index: 3 }));
  assert.deepEqual(verdicts(program, 1), [XDP_PASS]);
  program.map(FLOW_SOCKETS).update(3, socket.fd);
  assert.deepEqual(verdicts(program, 1), [XDP_REDIRECT]);
});

test('a redirect program takes the first of every so many frames and drops the others', (t) => {
  if (!requireRoot(t)) return;
  using socket = new Fd(libc.socket(AF_XDP, 3, 0), 'AF_XDP socket');
  for (const every of [2, 3]) {
    using program = BpfProgram.load(redirectProgramSpec({ sockets: 1, every }));
    program.map(FLOW_SOCKETS).update(0, socket.fd);
    const expected = Array.from({ length: 7 }, (_, i) => (i % every === 0 ? XDP_REDIRECT : XDP_DROP));
    assert.deepEqual(verdicts(program, 7), expected, `every ${every}`);
  }
});

test('a redirect program that drops half delivers every other frame to an AF_XDP socket', (t) => {
  if (!requireRoot(t)) return;
  using veth = testVeth();
  const { a, b } = veth;
  const target = withNetns(b.namespace, () => link(b.name));
  using socket = withNetns(b.namespace, () => new HandmadeXdpSocket(target.index));
  using program = BpfProgram.load(redirectProgramSpec({ sockets: 1, every: 2 }));
  program.map(FLOW_SOCKETS).update(0, socket.fd.fd);
  using _attached = withNetns(b.namespace, () => XdpLink.attach(program, target, 'native'));
  withNetns(a.namespace, () => {
    using injector = BpfProgram.load(verdictProgramSpec('XDP_TX'));
    const { index: ifindex } = link(a.name);
    injector.injectFrames({ frame, repeat: 16, burst: 16, ifindex });
  });
  // The kernel's own frames (neighbour discovery) may come in between, and count like any other.
  const seen = (): number => Number(program.map('frames').lookup(0, new BigUint64Array(1))![0]);
  assert.ok(
    waitUntil(() => seen() >= 16 && socket.arrived === Math.ceil(seen() / 2)),
    `${socket.arrived} of ${seen()} frames`,
  );
});
