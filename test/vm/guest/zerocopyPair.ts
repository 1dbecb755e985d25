import assert from 'node:assert/strict';
import { ChunkOwner } from '../../../src/core/index.ts';
import { XdpPort } from '../../../src/port/index.ts';
import { withNetns } from '../../../src/sys/index.ts';
import { TEST_UDP_PORT } from '../../support/frames.ts';
import type { PortPair } from '../../support/portContract.ts';
import type { VethEnd } from '../../support/vethPair.ts';
import { testWire } from './testWire.ts';

/** Two zero-copy AF_XDP ports at the ends of a wire. */
export interface ZerocopyPair extends PortPair, Disposable {
  readonly a: XdpPort;
  readonly b: XdpPort;
}

/** Opens the pair, strict: anything weaker than zero-copy in the driver throws. Every chunk is accounted for. */
export function zerocopyPair(): ZerocopyPair {
  const wire = testWire();
  const open = ({ namespace, name }: VethEnd): XdpPort =>
    withNetns(
      namespace,
      () =>
        new XdpPort({
          interface: name,
          flows: [{ port: TEST_UDP_PORT }],
          mode: 'zerocopy',
          attach: 'native',
          strict: true,
          rxSize: 256,
          txSize: 256,
          debug: true,
        }),
    );
  const opened: Disposable[] = [wire];
  const close = (): void => {
    for (const each of opened.splice(0).reverse()) each[Symbol.dispose]();
  };
  try {
    const a = open(wire.a);
    opened.push(a);
    const b = open(wire.b);
    opened.push(b);
    for (const port of [a, b]) assertZerocopy(port);
    return {
      a,
      b,
      assertAllReturned: () => [a, b].forEach(assertAllReturned),
      close,
      [Symbol.dispose]: close,
    };
  } catch (error) {
    close();
    throw error;
  }
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
