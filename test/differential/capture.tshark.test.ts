import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { Burst, FrameFlags } from '../../src/core/index.ts';
import { CapturePort, LoopPort } from '../../src/port/index.ts';
import { CaptureError, readCapture } from '../../src/wire/index.ts';
import { udpFrame } from '../support/frames.ts';
import { requireTool } from '../support/requirements.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'barewire-written-'));
after(() => rmSync(folder, { recursive: true }));

/** A capture of 20 datagrams sent and 20 received: of every padding, one tagged, one over two chunks, one cut. */
function writeCapture(path: string): void {
  const [inner, far] = LoopPort.pair();
  using near = new CapturePort(inner, { path, snapLen: 1500 });
  const burst = new Burst(64);
  for (const port of [near, far]) {
    for (let i = 0; i < 20; i++) {
      const frame = udpFrame(far.mac, near.mac, i === 19 ? 1600 : 18 + i, i);
      const first = i === 18 ? 30 : frame.length;
      for (const piece of [frame.subarray(0, first), frame.subarray(first)]) {
        if (piece.length === 0) continue;
        port.alloc(burst, 1);
        const at = burst.count - 1;
        port.regions[burst.region[at]!]!.bytes.set(piece, burst.addr[at]!);
        burst.len[at] = piece.length;
        burst.flags[at] = piece.length < frame.length && piece[0] === frame[0] ? FrameFlags.continues : 0;
        if (i === 17) burst.flags[at] = FrameFlags.vlan;
        burst.vlan[at] = 0x2064;
      }
    }
    assert.equal(port.tx(burst), 21);
    burst.clear();
  }
  near.rx(burst);
}

test('tshark reads what CapturePort wrote: every frame whole, which way, when, and the tag', async (t) => {
  const tshark = requireTool(t, 'tshark');
  if (tshark === undefined) return;
  const file = join(folder, 'tshark.pcapng');
  const before = Date.now() / 1000;
  writeCapture(file);
  const fields = ['frame.packet_flags_direction', 'frame.interface_name', 'frame.time_epoch']
    .concat(['frame.len', 'frame.cap_len', 'vlan.id', 'udp.dstport', 'udp.checksum.status'])
    .flatMap((field) => ['-e', field]);
  const options = ['-n', '-o', 'udp.check_checksum:TRUE', '-T', 'fields', '-E', 'separator=,'];
  const { stdout } = await run(tshark, ['-r', file, ...options, ...fields]);
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => line.split(','));
  assert.equal(rows.length, 40);
  for (const [i, [direction, name, time, len, capLen, vlan, port, checksum]] of rows.entries()) {
    const k = i % 20;
    assert.equal(Number(direction), i < 20 ? 2 : 1, `frame ${i}`);
    assert.equal(name, 'loop:');
    assert.ok(Number(time) >= before - 1 && Number(time) <= Date.now() / 1000 + 1, String(time));
    const wanted = k === 19 ? 1642 : 60 + k + (k === 17 ? 4 : 0);
    assert.deepEqual([Number(len), Number(capLen)], [wanted, Math.min(1500, wanted)]);
    assert.equal(vlan, k === 17 ? '100' : '');
    assert.equal(port, '9000');
    // 1 is good; of a frame that was cut it cannot be told.
    if (k !== 19) assert.equal(checksum, '1', `frame ${i}`);
  }
  const capinfos = join(dirname(tshark), 'capinfos');
  const { stdout: about } = await run(capinfos, [file]);
  assert.match(about, /Capture application: +barewire/);
  assert.match(about, /File timestamp precision: +nanoseconds/);
  assert.match(about, /Number of stat entries = 1/);
});

test('tcpdump reads what CapturePort wrote', async (t) => {
  const tcpdump = requireTool(t, 'tcpdump');
  if (tcpdump === undefined) return;
  const file = join(folder, 'tcpdump.pcapng');
  writeCapture(file);
  const { stdout } = await run(tcpdump, ['-nn', '-e', '-t', '-r', file, 'udp port 9000 or vlan 100']);
  const lines = stdout
    .trim()
    .split('\n')
    .filter((line) => line.includes('length'));
  assert.equal(lines.length, 40);
  assert.equal(lines.filter((line) => line.includes('vlan 100')).length, 2);
});

test('a capture that could not grow is whole up to where it could, and what it has not is counted', async () => {
  const file = join(folder, 'full.pcapng');
  const script = `
    import { openPort } from '${new URL('../../src/port/index.ts', import.meta.url)}';
    import { Burst } from '${new URL('../../src/core/index.ts', import.meta.url)}';
    const port = openPort('pcap:?out=/dev/null&capture=${file}');
    const burst = new Burst(64);
    for (let round = 0; round < 100; round++) {
      port.alloc(burst, 64);
      burst.len.fill(101);
      port.tx(burst);
      burst.clear();
      port.flush();
    }
    console.log(port.statistics().notCaptured);
    // And ends without closing anything.
    console.error(port.report.reasons.join());`;
  // The kernel cuts the write that would pass the limit, and refuses the next one, as on a full disk.
  const limited = ['-c', 'ulimit -f 200; exec "$0" --input-type=module -e "$1"', process.execPath, script];
  const { stdout, stderr } = await run('sh', limited);
  const frames = [...readCapture(readFileSync(file))].length;
  assert.ok(frames > 500 && frames < 6400, `${frames} frames`);
  assert.equal(Number(stdout), 6400 - frames);
  assert.match(
    stderr,
    new RegExp(
      `ended after ${frames} frames, ${stdout.trim()} more have passed: Cannot write capture .*: EFBIG`,
    ),
  );
});

test('a capture of a process that was killed has every frame up to its last flush', async () => {
  const file = join(folder, 'killed.pcapng');
  const index = new URL('../../src/port/index.ts', import.meta.url);
  const core = new URL('../../src/core/index.ts', import.meta.url);
  const script = `
    import { openPort } from '${index}';
    import { Burst } from '${core}';
    const port = openPort('loop:killed?capture=${file},buffer:65536');
    const far = openPort('loop:killed');
    const burst = new Burst(64);
    for (let round = 0; ; round++) {
      port.alloc(burst, 64);
      burst.len.fill(100);
      port.tx(burst);
      burst.clear();
      far.rx(burst);
      far.recycle(burst);
      if (round === 100) { port.flush(); console.log('flushed'); }
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'close');
  let frames = 0;
  try {
    for (const _ of readCapture(readFileSync(file))) frames++;
  } catch (error) {
    // Killed inside of a later write(2), which the kernel then cuts short.
    assert.ok(error instanceof CaptureError);
  }
  assert.ok(frames >= 101 * 64, `${frames} frames`);
});
