import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameError } from './frameError.ts';
import { anyPlan, type FramePlan, makeFrame, plainPlan, plainPlan6 } from './frames.case.test.ts';
import { echoUdpFrame, isAnswerable } from './udpEcho.ts';
import { parseUdpFrame, UdpFrame } from './udpFrame.ts';

const NUM_RUNS = process.env.BAREWIRE_SOAK === '1' ? 50_000 : 500;

function parsed(plan: FramePlan): { bytes: Uint8Array; frame: UdpFrame; packetEnd: number } {
  const { bytes, packetEnd } = makeFrame(plan);
  const frame = new UdpFrame();
  assert.equal(parseUdpFrame(new DataView(bytes.buffer), 0, bytes.length, frame), 0);
  return { bytes, frame, packetEnd };
}

test('echoUdpFrame() makes the frame that the other end would send, or leaves it alone', () => {
  fc.assert(
    fc.property(anyPlan, (plan) => {
      const { bytes, frame, packetEnd } = parsed(plan);
      const expected = isAnswerable(frame)
        ? makeFrame({
            ...plan,
            destinationMac: plan.sourceMac,
            sourceMac: plan.destinationMac,
            source: plan.destination,
            destination: plan.source,
            sourcePort: plan.destinationPort,
            destinationPort: plan.sourcePort,
            hopLimit: 64,
          }).bytes
        : bytes.slice();
      const code = isAnswerable(frame) ? packetEnd : FrameError.unanswerable;
      assert.equal(echoUdpFrame(frame), code);
      assert.deepEqual(bytes, expected);
    }),
    { numRuns: NUM_RUNS },
  );
});

test('echoUdpFrame() leaves a frame that its own fields still describe', () => {
  for (const plan of [plainPlan, plainPlan6]) {
    const { bytes, frame } = parsed({ ...plan, hopLimit: 3 });
    const { offset, len, l3, l4, payloadLen, ipVersion } = frame;
    assert.equal(echoUdpFrame(frame), len);
    const again = new UdpFrame();
    assert.equal(parseUdpFrame(new DataView(bytes.buffer), 0, bytes.length, again), 0);
    const { view: _, ...fields } = again;
    assert.deepEqual(fields, { offset, len, l3, l4, payloadLen, ipVersion });
    assert.equal(frame.destinationPort, 40_000);
  }
});

test('isAnswerable() denies groups, nobody and port 0, at either end', () => {
  const group6 = [0xff, 2, ...new Array<number>(13).fill(0), 1];
  const nobody6 = new Array<number>(16).fill(0);
  const denied: readonly (readonly [FramePlan, Partial<FramePlan>])[] = [
    [plainPlan, { destinationMac: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] }],
    [plainPlan, { sourceMac: [1, 0, 0, 0, 0, 0] }],
    [plainPlan, { destination: [224, 0, 0, 1] }],
    [plainPlan, { destination: [255, 255, 255, 255] }],
    [plainPlan, { source: [239, 1, 2, 3] }],
    [plainPlan, { source: [0, 0, 0, 0] }],
    [plainPlan, { sourcePort: 0 }],
    [plainPlan, { destinationPort: 0 }],
    [plainPlan6, { destination: group6 }],
    [plainPlan6, { source: group6 }],
    [plainPlan6, { source: nobody6 }],
  ];
  for (const [plan, change] of denied) {
    assert.equal(isAnswerable(parsed({ ...plan, ...change }).frame), false, JSON.stringify(change));
  }
  for (const plan of [plainPlan, plainPlan6]) assert.equal(isAnswerable(parsed(plan).frame), true);
  const loopback6 = [...nobody6.slice(0, 15), 1];
  assert.equal(isAnswerable(parsed({ ...plainPlan6, source: loopback6 }).frame), true);
});
