import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ChecksumMode, parseUdpFrame, UdpFrame } from '../../wire/index.ts';
import { buildLoopFrame } from './loopFrame.ts';

const spec = { sourceMac: '02:00:00:00:00:01', udpPort: 9, frameLen: 64, mtu: 1500 };

describe('buildLoopFrame()', () => {
  it('builds a UDP datagram of the length that was asked for', () => {
    for (const frameLen of [42, 64, 1514]) {
      const frame = buildLoopFrame({ ...spec, frameLen });
      assert.equal(frame.length, frameLen);
      const parsed = new UdpFrame();
      const code = parseUdpFrame(new DataView(frame.buffer), 0, frameLen, parsed, ChecksumMode.verify);
      assert.equal(code, 0);
      assert.equal(parsed.payloadLen, frameLen - 42);
    }
  });

  it('sends to nobody unless told, and from who sends', () => {
    assert.deepEqual([...buildLoopFrame(spec).subarray(0, 12)], [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
    const frame = buildLoopFrame({ ...spec, destinationMac: '02:00:00:00:00:09' });
    assert.equal(frame[5], 9);
  });

  it('refuses lengths that are none, and addresses that are none', () => {
    for (const frameLen of [0, 41, 1515, 64.5, Number.NaN]) {
      assert.throws(() => buildLoopFrame({ ...spec, frameLen }), {
        name: 'RangeError',
        message: `Cannot build a frame of ${frameLen} bytes: wanted 42 to 1514`,
      });
    }
    assert.throws(() => buildLoopFrame({ ...spec, mtu: 9000, frameLen: 9015 }), /wanted 42 to 9014/);
    assert.throws(() => buildLoopFrame({ ...spec, destinationMac: 'fish' }), TypeError);
  });
});
