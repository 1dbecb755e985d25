import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkLoopSpec, type LoopVerb } from './loopSpec.ts';

describe('checkLoopSpec()', () => {
  it('wants one port, and of l2fwd one or two', () => {
    const cases: readonly [LoopVerb, readonly string[], RegExp | undefined][] = [
      ['rxdrop', ['loop:a'], undefined],
      ['l2fwd', ['loop:a'], undefined],
      ['l2fwd', ['loop:a', 'loop:b'], undefined],
      ['rxdrop', [], /Cannot run rxdrop over 0 ports: wanted one port$/],
      ['echo', ['loop:a', 'loop:b'], /Cannot run echo over 2 ports: wanted one port$/],
      ['l2fwd', ['loop:a', 'loop:b', 'loop:c'], /over 3 ports: wanted one port or two$/],
    ];
    for (const [verb, ports, wrong] of cases) {
      if (wrong === undefined) checkLoopSpec({ verb, ports });
      else assert.throws(() => checkLoopSpec({ verb, ports }), wrong);
    }
  });

  it('wants to know where txonly sends to, unless nobody but the other end can be reached', () => {
    for (const port of ['loop:a', 'memif:/run/m', 'tap:t0', 'pcap:in.pcapng']) {
      checkLoopSpec({ verb: 'txonly', ports: [port] });
    }
    for (const port of ['xdp:eth0?queue=0', 'packet:eth0', 'dpdk:0000:00:05.0']) {
      assert.throws(() => checkLoopSpec({ verb: 'txonly', ports: [port] }), {
        name: 'TypeError',
        message: `Cannot send on ${port}: say where to with --mac, lest a whole network is flooded`,
      });
      checkLoopSpec({ verb: 'txonly', ports: [port], destinationMac: '02:00:00:00:00:09' });
      checkLoopSpec({ verb: 'rxdrop', ports: [port] });
    }
  });

  it('refuses what is no port', () => {
    assert.throws(() => checkLoopSpec({ verb: 'rxdrop', ports: ['eth0'] }), /Cannot read port spec/);
  });
});
