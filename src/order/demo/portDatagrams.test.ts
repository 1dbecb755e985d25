import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Burst } from '../../core/index.ts';
import { LoopPort } from '../../port/index.ts';
import { parseUdpFrame, UdpFrame } from '../../wire/index.ts';
import { PortDatagrams } from './portDatagrams.ts';

const frame = {
  destinationMac: '02:00:00:00:00:02',
  sourceMac: '02:00:00:00:00:01',
  destinationAddress: '10.0.0.2',
  sourceAddress: '10.0.0.1',
  destinationPort: 9000,
  sourcePort: 9001,
};

test('PortDatagrams sends what was reserved, in order and whole, also what a full ring left waiting', () => {
  const [port, far] = LoopPort.pair({ name: 'loop:x', ringSize: 4, chunkCount: 16, debug: true });
  using _ = far;
  using output = new PortDatagrams(port, frame, 8);
  for (let i = 0; i < 6; i++) output.sendView.setUint32(output.reserve(4), i);
  const burst = new Burst(8);
  const parsed = new UdpFrame();
  const seen: number[] = [];
  const receive = (): void => {
    far.rx(burst);
    for (let i = 0; i < burst.count; i++) {
      const { view } = far.regions[burst.region[i]!]!;
      assert.equal(parseUdpFrame(view, burst.addr[i]!, burst.len[i]!, parsed), 0);
      assert.deepEqual([parsed.destinationPort, parsed.payloadLen], [9000, 4]);
      seen.push(view.getUint32(parsed.payloadOffset));
    }
    far.recycle(burst);
  };
  assert.equal(output.flush(), 4);
  receive();
  output.sendView.setUint32(output.reserve(4), 6);
  assert.equal(output.flush(), 3);
  receive();
  assert.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6]);
  assert.equal(output.flush(), 0);
});

test('PortDatagrams has no room beyond its burst', () => {
  const [port, far] = LoopPort.pair({ name: 'loop:x', debug: true });
  using _ = far;
  using output = new PortDatagrams(port, frame, 2);
  assert.ok(output.reserve(4) >= 0);
  assert.ok(output.reserve(4) >= 0);
  assert.equal(output.reserve(4), -1);
});
