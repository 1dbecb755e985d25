import assert from 'node:assert/strict';
import { ChunkOwner } from '../../../src/core/index.ts';
import { XdpPort } from '../../../src/port/index.ts';
import { withNetns } from '../../../src/sys/index.ts';
import { TEST_UDP_PORT } from '../../support/frames.ts';
import type { PortPair } from '../../support/portContract.ts';
import { awaitCarrier, testWire } from './testWire.ts';

/** Two zero-copy AF_XDP ports at the ends of a wire. */
export interface ZerocopyPair extends PortPair, Disposable {
  readonly a: XdpPort;
  readonly b: XdpPort;
}

/**
 * NB: igb hands a chunk to its NIC in whole kilobytes: of 2,048 bytes less 256 before the frame it fills 1,024, and cuts
 * longer frames there without a word.
 */
export const CHUNK_LEN: 2048 | 4096 = process.env.BAREWIRE_VM_MODEL === 'igb' ? 4096 : 2048;

/** Opens the pair, strict: anything weaker than zero-copy in the driver throws. Every chunk is accounted for. */
export function zerocopyPair(): ZerocopyPair {
  using stack = new DisposableStack();
  const wire = stack.use(testWire());
  const [a, b] = [wire.a, wire.b].map(({ namespace, name }) =>
    stack.use(
      withNetns(
        namespace,
        () =>
          new XdpPort({
            interface: name,
            flows: [{ port: TEST_UDP_PORT }],
            mode: 'zerocopy',
            attach: 'native',
            strict: true,
            chunkLen: CHUNK_LEN,
            rxSize: 256,
            txSize: 256,
            debug: true,
          }),
      ),
    ),
  ) as [XdpPort, XdpPort];
  for (const port of [a, b]) assertZerocopy(port);
  awaitCarrier(wire);
  const opened = stack.move();
  const close = (): void => opened.dispose();
  return {
    a,
    b,
    assertAllReturned: () => {
      for (const port of [a, b]) assertAllReturned(port);
    },
    close,
    [Symbol.dispose]: close,
  };
}

/** Every socket of the port says so itself, by what it read back from the kernel. */
export function assertZerocopy(port: XdpPort): void {
  for (const { queue, mode } of port.interface.sockets) {
    assert.equal(mode, 'zerocopy', `${port.interface.info.name} queue ${queue}`);
  }
}

function assertAllReturned(port: XdpPort): void {
  for (const { umem } of port.interface.sockets) {
    const { ledger, count } = umem.pool;
    ledger!.assertNone(ChunkOwner.application);
    const owners = ledger!.audit();
    assert.equal(owners.free + owners.fill + owners.tx + owners.completion, count);
  }
}
