import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Burst } from '../core/index.ts';
import { openPorts } from './openPorts.ts';

describe('openPorts()', () => {
  it('opens ports in the order of their specs', () => {
    using opened = openPorts(['loop:one', 'loop:two?chunks=16']);
    assert.deepEqual(
      opened.ports.map(({ spec }) => spec),
      ['loop:one', 'loop:two?chunks=16'],
    );
    assert.deepEqual(opened.reasons, []);
  });

  it('closes all of them, once', () => {
    const opened = openPorts(['loop:both', 'loop:both']);
    opened.close();
    opened.close();
    for (const port of opened.ports) {
      const burst = new Burst(1);
      port.alloc(burst, 1);
      port.tx(burst);
      assert.equal(port.statistics().drops.peerClosed, 1, 'its other end is closed');
    }
  });

  it('opens memif: ports in one memory, if they want chunks of one kind', () => {
    const path = (i: number): string => `memif:@barewire-openPorts-${process.pid}-${i}?role=server&ring=64`;
    {
      using opened = openPorts([path(0), path(1)]);
      const [a, b] = opened.ports;
      assert.equal(a!.regions[0]!.bytes.buffer, b!.regions[0]!.bytes.buffer);
      const burst = new Burst(2 * (2 * 64 + 1024));
      a!.alloc(burst, burst.capacity);
      assert.equal(burst.count, burst.capacity, 'as many chunks as both would have');
      b!.recycle(burst);
    }
    using opened = openPorts([`${path(0)}&chunk=4096`, path(1)]);
    const [a, b] = opened.ports;
    assert.notEqual(a!.regions[0]!.bytes.buffer, b!.regions[0]!.bytes.buffer);
  });

  it('throws what opening one of them throws', () => {
    assert.throws(() => openPorts(['loop:three', 'loop:four?fish=1']), /no option "fish"/);
    assert.throws(() => openPorts(['loop:three', 'fish:']), /no port "fish:"/);
    assert.throws(() => openPorts(['loop:three', 'loop']), /Cannot read port spec/);
  });

  it('tells of an option of memory that cannot be read before it makes any', () => {
    assert.throws(() => openPorts(['xdp:lo?headroom=much', 'xdp:lo']), /headroom must be a whole number/);
    assert.throws(() => openPorts(['xdp:', 'xdp:lo']), TypeError);
  });
});
