import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { portContract } from '../../test/support/portContract.ts';
import { Burst, ChunkOwner, FrameFlags } from '../core/index.ts';
import { LoopPort } from './loopPort.ts';
import { openPort, PORT_SCHEMES } from './openPort.ts';

portContract({
  name: 'loop:',
  open: () => {
    const [a, b] = LoopPort.pair({ debug: true });
    return {
      a,
      b,
      assertAllReturned: () => {
        for (const pool of a.pools) pool.ledger!.assertNone(ChunkOwner.application);
      },
      close: () => {
        a.close();
        b.close();
      },
    };
  },
});

describe('LoopPort', () => {
  it('counts what is sent to a closed end as dropped, and keeps its chunks', () => {
    const [a, b] = LoopPort.pair({ chunkCount: 8 });
    b.close();
    const burst = new Burst(4);
    a.alloc(burst, 4);
    burst.len.fill(60);
    assert.equal(a.tx(burst), 4);
    assert.equal(a.statistics().drops.peerClosed, 4);
    assert.equal(a.pools[0]!.free, 8);
  });

  it('drops a chain that no burst of the receiver holds, and counts it', () => {
    const [a, b] = LoopPort.pair({ chunkCount: 8 });
    const burst = new Burst(4);
    a.alloc(burst, 3);
    burst.len.fill(60);
    burst.flags.set([FrameFlags.continues, FrameFlags.continues, 0]);
    assert.equal(a.tx(burst), 3);
    assert.equal(b.rx(new Burst(2)), 0);
    assert.equal(b.statistics().drops.chainTooLong, 1);
    assert.equal(a.pools[0]!.free, 8);
  });

  it('never accepts a part of a chained frame', () => {
    const [a] = LoopPort.pair({ ringSize: 2 });
    const burst = new Burst(4);
    a.alloc(burst, 4);
    burst.len.fill(60);
    burst.flags.set([0, FrameFlags.continues, FrameFlags.continues, 0]);
    assert.equal(a.tx(burst), 1);
  });

  it('conserves chunks in any order of operations', () => {
    const operation = fc.record({
      end: fc.nat(1),
      what: fc.constantFrom('alloc', 'tx', 'rx', 'recycle'),
      count: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const ports = LoopPort.pair({ chunkCount: 16, ringSize: 8, debug: true });
        const held = [new Burst(64), new Burst(64)];
        for (const { end, what, count } of operations) {
          const port = ports[end]!;
          const burst = held[end]!;
          if (what === 'alloc') port.alloc(burst, count);
          if (what === 'tx') burst.dropPrefix(port.tx(burst));
          if (what === 'rx' && burst.count === 0) port.rx(burst);
          if (what === 'recycle') port.recycle(burst);
        }
        for (const end of [0, 1]) ports[end]!.recycle(held[end]!);
        for (const end of [0, 1]) ports[end]!.close();
        for (const pool of ports[0].pools) assert.equal(pool.free, 16);
      }),
    );
  });
});

describe('openPort()', () => {
  it('gives the two ends of a named loop to its first two openers', () => {
    const a = openPort('loop:x?chunks=8');
    const b = openPort('loop:x');
    const burst = new Burst(1);
    a.alloc(burst, 1);
    burst.len[0] = 60;
    assert.equal(a.tx(burst), 1);
    assert.equal(b.rx(burst), 1);
    assert.notDeepEqual(a.mac, b.mac);
  });

  it('knows every scheme that PORT_SCHEMES names', () => {
    for (const scheme of PORT_SCHEMES) {
      assert.throws(() => openPort(`${scheme}:z?colour=red`), /no option "colour"/);
    }
  });

  it('refuses what it does not know, with what it does', () => {
    const known = PORT_SCHEMES.map((scheme) => `${scheme}:`).join(', ');
    assert.throws(() => openPort('ixgbe:eth0'), {
      name: 'TypeError',
      message: `Cannot open ixgbe:eth0: no port "ixgbe:"; there are ${known}`,
    });
    assert.throws(() => openPort('loop:y?chunk=8'), /no option "chunk"; loop knows chunks, ring, debug/);
    assert.throws(() => openPort('loop:y?chunks=many'), /chunks must be a whole number, got "many"/);
    assert.throws(() => openPort('xdp:eth0'), /say which flow is ours/);
    assert.throws(() => openPort('xdp:'), /name an interface/);
    assert.throws(() => openPort('eth0'), /want SCHEME:TARGET/);
  });
});
