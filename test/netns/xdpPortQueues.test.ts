import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Burst } from '../../src/core/index.ts';
import { XdpPort } from '../../src/port/index.ts';
import { withNetns } from '../../src/sys/index.ts';
import type { XdpInterfaceSpec } from '../../src/xdp/index.ts';
import { TEST_UDP_PORT } from '../support/frames.ts';
import { requireRoot } from '../support/requirements.ts';
import { testVeth } from '../support/vethPair.ts';

// A port over AF_XDP where it is more than its sockets.

/** Runs `fn` with a port on two nicQueues, closed afterwards with every chunk accounted for. */
function withPort(t: TestContext, spec: Partial<XdpInterfaceSpec>, fn: (port: XdpPort) => void): void {
  if (!requireRoot(t)) return;
  using veth = testVeth({ queues: 2 });
  const flows = [{ port: TEST_UDP_PORT }];
  const { namespace, name } = veth.a;
  using port = withNetns(
    namespace,
    () => new XdpPort({ interface: name, flows, rxSize: 64, txSize: 64, debug: true, ...spec }),
  );
  fn(port);
}

test('tx() says what it accepted before a frame that cannot be sent, and throws when that frame is the first', (t) => {
  withPort(t, {}, (port) => {
    const burst = new Burst(3);
    for (const socket of port.interface.sockets) socket.alloc(burst, 1);
    burst.len.set([60, 13]);
    assert.equal(port.tx(burst), 1);
    burst.dropPrefix(1);
    assert.throws(() => port.tx(burst), /^RangeError: Cannot send frame at \d+ of 13 bytes/);
    assert.deepEqual([burst.count, burst.region[0]], [1, 1]);
    port.recycle(burst);
  });
});
