import assert from 'node:assert/strict';
import fs, { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, mock } from 'node:test';
import fc from 'fast-check';
import { udpFrame } from '../../test/support/frames.ts';
import { portContract } from '../../test/support/portContract.ts';
import { Burst, ChunkOwner, FrameFlags } from '../core/index.ts';
import { SystemError } from '../sys/index.ts';
import { LoopPort } from './loopPort.ts';
import { openPort } from './openPort.ts';
import type { Port } from './port.ts';
import { TracePort, type TraceSink } from './tracePort.ts';
import { describeFrame } from './tracePortLine.ts';
import { TraceOutput } from './tracePortOutput.ts';

class Lines implements TraceSink {
  readonly name = 'here';
  text = '';
  closed = 0;
  readonly write = (lines: string): void => {
    this.text += lines;
  };
  readonly close = (): void => {
    this.closed++;
  };
}

const nowhere: TraceSink = { name: 'nowhere', write: () => {}, close: () => {} };

portContract({
  name: 'trace: around loop:',
  open: () => {
    const [a, b] = LoopPort.pair({ debug: true });
    const ports = [new TracePort(a, nowhere), new TracePort(b, nowhere)] as const;
    return {
      a: ports[0],
      b: ports[1],
      assertAllReturned: () => {
        for (const pool of a.pools) pool.ledger!.assertNone(ChunkOwner.application);
      },
      close: () => {
        for (const port of ports) port.close();
      },
    };
  },
});

/** Sends frames, each of the given pieces. @returns descriptors accepted */
function send(port: Port, ...frames: readonly (readonly Uint8Array[])[]): number {
  const burst = new Burst(64);
  for (const pieces of frames) {
    for (const [i, piece] of pieces.entries()) {
      assert.equal(port.alloc(burst, 1), 1);
      const at = burst.count - 1;
      port.regions[burst.region[at]!]!.bytes.set(piece, burst.addr[at]!);
      burst.len[at] = piece.length;
      burst.flags[at] = i + 1 < pieces.length ? FrameFlags.continues : 0;
    }
  }
  const accepted = port.tx(burst);
  burst.dropPrefix(accepted);
  port.recycle(burst);
  return accepted;
}

const bytes = (text: string): Uint8Array => Uint8Array.fromHex(text.replaceAll(/[\s|]/g, ''));
const describeBytes = (frame: Uint8Array): string =>
  describeFrame(new DataView(frame.buffer, frame.byteOffset, frame.byteLength), 0, frame.length);

const MACS = '020000000002 020000000001';
const IPV4 = '4500 0020 0000 0000 4011 0000 0a090001 0a090002';

describe('TracePort', () => {
  it('writes a line for each frame that is received and each that is accepted', () => {
    const [a, b] = LoopPort.pair({ ringSize: 2 });
    const sent = new Lines();
    const received = new Lines();
    const near = new TracePort(a, sent, () => 5213e9 + 17_000);
    const far = new TracePort(b, received, () => 5213e9 + 18_999);
    const frame = (tag: number): Uint8Array[] => [udpFrame(a.mac, b.mac, 25, tag)];
    assert.equal(send(near, frame(1), frame(2), frame(3)), 2);
    far.rx(new Burst(8));
    const line = (tag: string): string => `67 10.9.0.1:40000 > 10.9.0.2:9000 udp 25 | 00 00 00 ${tag}\n`;
    const payloads = ['01 05 06 07 08', '02 06 07 08 09'];
    assert.equal(sent.text, payloads.map((tag) => `5213.000017 tx    ${line(tag)}`).join(''));
    assert.equal(received.text, payloads.map((tag) => `5213.000019 rx    ${line(tag)}`).join(''));
    far.rx(new Burst(8));
    assert.equal(received.text.split('\n').length, 3, 'no line for nothing');
  });

  it('writes one line for a frame of several pieces, and looks into the second', () => {
    const [a, b] = LoopPort.pair();
    const lines = new Lines();
    const port = new TracePort(a, lines, () => 0);
    const frame = udpFrame(a.mac, b.mac, 25, 1);
    send(port, [frame.subarray(0, 20), frame.subarray(20, 30), frame.subarray(30)]);
    assert.equal(
      lines.text,
      '0.000000 tx    67 10.9.0.1:40000 > 10.9.0.2:9000 udp 25 | 00 00 00 01 05 06 07 08 (3 pieces)\n',
    );
  });

  it('names the VLAN tag that stands beside the frame', () => {
    const [a, b] = LoopPort.pair();
    const lines = new Lines();
    const tagged = new TracePort(a, lines, () => 0);
    const burst = new Burst(1);
    a.alloc(burst, 1);
    a.regions[0]!.bytes.set(udpFrame(a.mac, b.mac, 1, 1), burst.addr[0]!);
    burst.len[0] = 43;
    burst.flags[0] = FrameFlags.vlan;
    burst.vlan[0] = 0xe007;
    tagged.tx(burst);
    assert.match(lines.text, /tx {4}43 vlan 7 10\.9\.0\.1/);
  });

  it('says that it is slow, and closes port and sink', () => {
    const [a] = LoopPort.pair();
    const lines = new Lines();
    const port = new TracePort(a, lines);
    assert.deepEqual(port.report.reasons, [
      'tracing to here: a line is written for each frame, which is slow',
    ]);
    mock.method(a, 'close', () => {
      throw new Error('chunks are missing');
    });
    assert.throws(() => port.close(), /chunks are missing/);
    assert.equal(lines.closed, 1);
  });

  it('writes to the file that a spec names', () => {
    const folder = mkdtempSync(join(tmpdir(), 'barewire-trace-'));
    try {
      const path = join(folder, 'trace.txt');
      const near = openPort(`loop:traced?trace=${path}`);
      openPort('loop:traced');
      send(near, [bytes(`${MACS} 0806 0001`)]);
      near.close();
      near.close();
      assert.match(
        readFileSync(path, 'utf8'),
        /^\d+\.\d{6} tx {4}16 02:00:00:00:00:01 > 02:00:00:00:00:02 arp 2 \| 00 01\n$/,
      );
      assert.equal(statSync(path).mode & 0o777, 0o600);
      assert.throws(
        () => openPort(`loop:untraced?trace=${folder}`),
        (error) => error instanceof SystemError && /^Cannot create trace .*: EISDIR/.test(error.message),
      );
      assert.throws(() => openPort('loop:untraced?trace='), /want trace=stderr or trace=FILE/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('TraceOutput', () => {
  it('lets the port go on when nothing can be written any more, and says why', () => {
    const near = openPort('loop:untraceable?trace=/dev/full');
    const far = openPort('loop:untraceable');
    const frame = [bytes(`${MACS} 0806 0001`)];
    assert.equal(send(near, frame, frame), 2);
    assert.equal(far.rx(new Burst(4)), 2);
    assert.equal(send(far, frame), 1);
    assert.equal(near.rx(new Burst(4)), 1);
    assert.deepEqual(near.report.reasons, [
      'tracing to /dev/full ended: Cannot write trace /dev/full: ENOSPC',
    ]);
    near.close();
  });

  it('tells how many lines were lost, those that were cut among them', (t) => {
    let written = '';
    let room = 0;
    const full = Object.assign(new Error('full'), { code: 'EAGAIN' });
    mock.method(fs, 'writeSync', (_fd: number, from: Buffer, at: number): number => {
      if (room === 0) throw full;
      const count = Math.min(room, from.length - at);
      written += from.toString('latin1', at, at + count);
      room -= count;
      return count;
    });
    syncBuiltinESMExports();
    t.after(() => {
      mock.restoreAll();
      syncBuiltinESMExports();
    });
    const output = new TraceOutput('stderr');
    for (const [space, lines] of [
      [6, 'one\ntwo\nthree\n'],
      [4, 'four\n'],
      [1000, 'five\n'],
      [1000, 'six\n'],
    ] as const) {
      room = space;
      output.write(lines);
    }
    assert.equal(written, 'one\ntw\n(2 \n(3 lines were lost: they are read too slowly)\nfive\nsix\n');
  });
});

describe('describeFrame()', () => {
  it('names addresses, ports, protocol, length and first bytes', () => {
    const cases: readonly [string, string][] = [
      [
        `${MACS} 0800 ${IPV4} 9c40 2328 000c 0000 01020304`,
        '10.9.0.1:40000 > 10.9.0.2:9000 udp 4 | 01 02 03 04',
      ],
      [
        `${MACS} 8100 0007 0800 ${IPV4} 9c40 2328 0008 0000 0102 0304`,
        'vlan 7 10.9.0.1:40000 > 10.9.0.2:9000 udp 0',
      ],
      [`${MACS} 88a8 0008 8100 0007 0806 01`, 'vlan 8.7 02:00:00:00:00:01 > 02:00:00:00:00:02 arp 1 | 01'],
      [`${MACS} 88cc`, '02:00:00:00:00:01 > 02:00:00:00:00:02 0x88cc 0'],
      [
        `${MACS} 0800 4500 0018 0000 0000 4006 0000 0a090001 0a090002 0016 2328`,
        '10.9.0.1:22 > 10.9.0.2:9000 tcp 4',
      ],
      [
        `${MACS} 0800 4500 0018 0000 0000 4001 0000 0a090001 0a090002 0800 0000`,
        '10.9.0.1 > 10.9.0.2 icmp 4 | 08 00 00 00',
      ],
      [
        `${MACS} 0800 4500 0018 0000 2000 4011 0000 0a090001 0a090002 0800 0000`,
        '10.9.0.1 > 10.9.0.2 fragment of udp 4 | 08 00 00 00',
      ],
      [
        `${MACS} 0800 4500 0018 0000 0000 40fe 0000 0a090001 0a090002 0800 0000`,
        '10.9.0.1 > 10.9.0.2 protocol 254 4 | 08 00 00 00',
      ],
      [
        `${MACS} 86dd 6000 0000 0008 1140 ${'0'.repeat(31)}1 ${'0'.repeat(31)}2 0001 0002 0008 0000`,
        '[::1]:1 > [::2]:2 udp 0',
      ],
    ];
    for (const [frame, wanted] of cases) assert.equal(describeBytes(bytes(frame)), wanted);
  });

  it('says how a frame is damaged', () => {
    const cases: readonly [string, string][] = [
      ['0200', 'ethernetTruncated | 02 00'],
      ['', 'ethernetTruncated'],
      [`${MACS} 0800 65`, 'ipv4Truncated | 65'],
      [`${MACS} 86dd 60`, 'ipv6Truncated | 60'],
      [`${MACS} 0800 ${IPV4} 9c40 2328 ffff 0000 01020304`, '10.9.0.1:40000 > 10.9.0.2:9000 udp udpBadLen'],
    ];
    for (const [frame, wanted] of cases) assert.equal(describeBytes(bytes(frame)), wanted);
  });

  it('has a line for any bytes', () => {
    const head = fc
      .constantFrom('', `${MACS} 0800 45`, `${MACS} 86dd 60`, `${MACS} 8100 0001 0800 4f`)
      .map(bytes);
    fc.assert(
      fc.property(head, fc.uint8Array({ maxLength: 120 }), (start, rest) => {
        assert.doesNotMatch(describeBytes(Uint8Array.of(...start, ...rest)), /\n|undefined/);
      }),
      { numRuns: 1000 },
    );
  });
});
