import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPort, XdpPort } from '../../src/port/index.ts';
import { NetworkNamespace, withNetns } from '../../src/sys/index.ts';
import { TEST_UDP_PORT } from '../support/frames.ts';
import { requireRoot } from '../support/requirements.ts';
import { testVeth } from '../support/vethPair.ts';

const flows = [{ port: TEST_UDP_PORT }];

test('options of an xdp: spec say whose clock stamps frames, and what else is told of them', (t) => {
  if (!requireRoot(t)) return;
  using veth = testVeth();
  const open = (options: string): XdpPort => {
    const port = withNetns(veth.b.namespace, () =>
      openPort(`xdp:vb?mode=copy&rx=16&tx=16${options}`, { flows }),
    );
    assert.ok(port instanceof XdpPort);
    return port;
  };
  const told = (options: string): unknown => {
    using port = open(options);
    const { timestampSource: from, interface: opened } = port;
    return {
      from,
      ...opened.metadata,
      ...(port.report.reasons.length > 0 && { reasons: port.report.reasons }),
    };
  };
  assert.deepEqual(told(''), { from: 'lane' });
  assert.deepEqual(told('&timestamps=lane'), { from: 'lane' });
  assert.deepEqual(told('&timestamps=kernel'), { from: 'kernel' });
  const native = '&attach=native&strict=true';
  assert.deepEqual(told(`&timestamps=hardware${native}`), {
    from: 'hardware',
    timestamp: 'hardware',
    ...{ hash: false, vlan: false },
  });
  assert.deepEqual(told(`&hash=true&vlan=true${native}`), {
    ...{ from: 'kernel', timestamp: 'kernel' },
    ...{ hash: true, vlan: true },
  });
  assert.deepEqual(told('&timestamps=hardware&attach=generic'), {
    from: 'kernel',
    reasons: ['only the kernel tells of frames, and not the driver: generic mode has none'],
  });
  assert.throws(() => open('&timestamps=lane&hash=true'), /hash and vlan come with the kernel's time/);
});

test('a ring that cannot be is refused by the name of its option', (t) => {
  if (!requireRoot(t)) return;
  using namespace = NetworkNamespace.create();
  const open = (options: string) => () =>
    withNetns(namespace, () => openPort(`xdp:lo?${options}`, { flows })).close();
  assert.throws(open('rx=1000'), {
    name: 'RangeError',
    message: /^Cannot size rx ring: .* 2\^23, got 1000$/,
  });
  assert.throws(open('tx=1000'), {
    name: 'RangeError',
    message: /^Cannot size tx ring: .* 2\^24, got 1000$/,
  });
  assert.throws(open('rx=16777216'), /^RangeError: Cannot size rx ring: .* 2\^23, got 16777216$/);
  assert.throws(
    open('rx=1048576'),
    /rx ring of 1048576 and a tx ring of 2048 need 2099200 chunks of 2048 bytes/,
  );
});
