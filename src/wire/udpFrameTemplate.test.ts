import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameError } from './frameError.ts';
import { anyPlan, type FramePlan, makeFrame, placed, plainPlan, plainPlan6 } from './frames.case.test.ts';
import { parseUdpFrame, UdpFrame } from './udpFrame.ts';
import { type UdpFrameSpec, UdpFrameTemplate } from './udpFrameTemplate.ts';

const NUM_RUNS = process.env.BAREWIRE_SOAK === '1' ? 50_000 : 500;

/** Plans that a template can carry out: no options, no extension headers, always a checksum. */
const templatePlan = anyPlan.map(
  (plan): FramePlan => ({
    ...plan,
    options: [],
    extensions: [],
    withoutChecksum: false,
    surplus: 0,
    padding: 0,
  }),
);

function specOf(plan: FramePlan): UdpFrameSpec {
  return {
    destinationMac: Uint8Array.from(plan.destinationMac),
    sourceMac: Uint8Array.from(plan.sourceMac),
    vlans: plan.vlans.map(({ protocol, tci }) => ({
      etherType: protocol,
      id: tci & 0xfff,
      priority: tci >>> 13,
      dropEligible: (tci & 0x1000) !== 0,
    })),
    destinationAddress: Uint8Array.from(plan.destination),
    sourceAddress: Uint8Array.from(plan.source),
    destinationPort: plan.destinationPort,
    sourcePort: plan.sourcePort,
    hopLimit: plan.hopLimit,
  };
}

/** Puts a payload into memory and lets the template write the headers before it. */
function written(template: UdpFrameTemplate, payload: readonly number[], offset = 2): Uint8Array {
  const memory = new Uint8Array(offset + template.headerLen + payload.length + 4).fill(0xa5);
  memory.set(payload, offset + template.headerLen);
  const len = template.write(new DataView(memory.buffer), offset, payload.length);
  assert.equal(len, template.headerLen + payload.length);
  assert.deepEqual([...memory.subarray(offset + len)], [0xa5, 0xa5, 0xa5, 0xa5], 'nothing behind the frame');
  return memory.subarray(offset, offset + len);
}

test('UdpFrameTemplate writes the frame that was made by hand, over any older bytes', () => {
  fc.assert(
    fc.property(templatePlan, (plan) => {
      const template = new UdpFrameTemplate(specOf(plan));
      const { bytes, l4 } = makeFrame(plan);
      assert.equal(template.headerLen, l4 + 8);
      // Twice: what the first payload left behind must not show in the second frame.
      written(template, [1, 2, 3]);
      assert.deepEqual(written(template, plan.payload), bytes);
    }),
    { numRuns: NUM_RUNS },
  );
});

/** Plans whose both ends can be answered. */
const answerable = (plan: FramePlan): FramePlan => {
  const host = (address: readonly number[]): number[] => [0x20, ...address.slice(1)];
  return {
    ...plan,
    destinationMac: [plan.destinationMac[0]! & 0xfe, ...plan.destinationMac.slice(1)],
    sourceMac: [plan.sourceMac[0]! & 0xfe, ...plan.sourceMac.slice(1)],
    source: host(plan.source),
    destination: host(plan.destination),
    sourcePort: plan.sourcePort || 1,
    destinationPort: plan.destinationPort || 1,
  };
};

function parsed(plan: FramePlan, offset = 0): UdpFrame {
  const { bytes } = makeFrame(plan);
  const frame = new UdpFrame();
  assert.equal(parseUdpFrame(placed(bytes, offset), offset, bytes.length, frame), 0);
  return frame;
}

test('UdpFrameTemplate.replyTo() turns a template into the answer to a frame, whatever it was before', () => {
  const template = new UdpFrameTemplate();
  fc.assert(
    fc.property(anyPlan.map(answerable), fc.nat({ max: 5 }), (plan, offset) => {
      assert.equal(template.replyTo(parsed(plan, offset)), 0);
      const answer: FramePlan = {
        ...plan,
        destinationMac: plan.sourceMac,
        sourceMac: plan.destinationMac,
        source: plan.destination,
        destination: plan.source,
        sourcePort: plan.destinationPort,
        destinationPort: plan.sourcePort,
        hopLimit: 64,
        options: [],
        extensions: [],
        withoutChecksum: false,
        surplus: 0,
        padding: 0,
      };
      assert.deepEqual(written(template, plan.payload), makeFrame(answer).bytes);
    }),
    { numRuns: NUM_RUNS },
  );
});

test('UdpFrameTemplate.replyTo() leaves the template alone when there is nobody to answer', () => {
  const template = new UdpFrameTemplate(specOf(plainPlan));
  const before = written(template, [1]);
  assert.equal(template.replyTo(parsed({ ...plainPlan, source: [224, 0, 0, 1] })), FrameError.unanswerable);
  assert.deepEqual(written(template, [1]), before);
});

test('UdpFrameTemplate.write() takes the longest payload and refuses a longer one, writing nothing', () => {
  for (const [plan, longest] of [
    [plainPlan, 65_507],
    [plainPlan6, 65_527],
  ] as const) {
    const template = new UdpFrameTemplate(specOf(plan));
    assert.equal(template.maxPayloadLen, longest);
    const view = new DataView(new ArrayBuffer(70_000));
    assert.equal(template.write(view, 0, longest + 1), FrameError.payloadTooLong);
    assert.ok(new Uint8Array(view.buffer).every((byte) => byte === 0));
    const len = template.write(view, 0, longest);
    assert.equal(parseUdpFrame(view, 0, len, new UdpFrame()), 0);
  }
});

test('UdpFrameTemplate.write() sends a checksum of zero as all ones', () => {
  const template = new UdpFrameTemplate(specOf(plainPlan));
  const checksum = new DataView(written(template, [0, 0]).slice().buffer).getUint16(40);
  const frame = written(template, [checksum >>> 8, checksum & 0xff]);
  assert.deepEqual([...frame.subarray(40, 42)], [0xff, 0xff]);
});

test('UdpFrameTemplate refuses ends of different families and fields that do not fit', () => {
  const spec = specOf(plainPlan);
  assert.throws(() => new UdpFrameTemplate({ ...spec, sourceAddress: '::1' }), {
    name: 'TypeError',
    message: 'Cannot address a frame between IPv4 and IPv6: wanted two addresses of one family',
  });
  assert.throws(() => new UdpFrameTemplate({ ...spec, sourceAddress: 'x' }), TypeError);
  assert.throws(() => new UdpFrameTemplate({ ...spec, destinationPort: 65_536 }), RangeError);
  assert.throws(() => new UdpFrameTemplate({ ...spec, hopLimit: -1 }), RangeError);
});
