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
