import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AllocationCase } from '../../tools/allocationCase.ts';
import { Burst } from '../core/index.ts';
import { PcapPort } from './pcapPort.ts';

const BURST = 64;
const FRAMES = 1024;

/** Writes a capture to replay, a few chains among its frames. */
function writeCapture(path: string): void {
  using port = new PcapPort({ out: path });
  const burst = new Burst(BURST);
  for (let written = 0; written < FRAMES; written += BURST) {
    port.alloc(burst, BURST);
    for (let i = 0; i < BURST; i++) {
      burst.len[i] = i === 0 ? port.maxPieceLen : 60 + i;
      burst.flags[i] = i === 0 ? 1 : 0;
    }
    burst.dropPrefix(port.tx(burst));
  }
}

const folder = mkdtempSync(join(tmpdir(), 'barewire-alloc-'));
process.on('exit', () => rmSync(folder, { recursive: true }));
const path = join(folder, 'in.pcapng');
writeCapture(path);

const endless = 2 ** 31 - 1;
const fast = new PcapPort({ path, out: '/dev/null', loop: endless });
const recorded = new PcapPort({ path, pace: 'recorded', loop: endless });
const burst = new Burst(BURST);

/** Sends what comes, and one frame more. @returns frames received */
function pass(port: PcapPort): number {
  const count = port.rx(burst);
  if (count === 0) return 0;
  if (port.alloc(burst, 1) === 1) burst.len[count] = 60;
  burst.dropPrefix(port.tx(burst));
  port.flush();
  port.rx(burst);
  port.recycle(burst);
  return count;
}

const cases: AllocationCase[] = [
  {
    name: 'a capture replayed, at either pace, and what is sent written or discarded',
    covers: ['PcapPort.rx', 'PcapPort.alloc', 'PcapPort.tx', 'PcapPort.flush', 'PcapPort.recycle'],
    run(count: number): void {
      for (let done = 0; done < count; ) {
        const received = pass(fast) + pass(recorded);
        if (received === 0) throw new Error('nothing was replayed');
        done += received;
      }
    },
  },
];
export default cases;
