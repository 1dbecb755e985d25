import type { AllocationCase } from '../../tools/allocationCase.ts';
import { Burst, FrameFlags } from '../core/index.ts';
import { CapturePort } from './capturePort.ts';
import { LoopPort } from './loopPort.ts';

const BURST = 64;

const [inner, far] = LoopPort.pair({ ringSize: BURST / 2 });
const near = new CapturePort(inner, { path: '/dev/null', bufferLen: 65_536 });
const burst = new Burst(BURST);
const received = new Burst(BURST);

const cases: AllocationCase[] = [
  {
    name: 'frames captured both ways, of which the wire takes half; a chain and a tag among them',
    covers: [
      'CapturePort.rx',
      'CapturePort.tx',
      'CapturePort.flush',
      'WrappedPort.alloc',
      'WrappedPort.recycle',
      'CaptureFile.stage',
      'CaptureFile.commit',
      'CaptureFile.write',
      'wire/writePcapngPacket',
      'wire/pcapngPacketLen',
      'sys/WallClock.stamp',
    ],
    run(count: number): void {
      for (let passed = 0; passed < count; ) {
        near.alloc(burst, BURST);
        for (let i = 0; i < BURST; i++) burst.len[i] = 60 + i;
        burst.flags[0] = FrameFlags.continues;
        burst.flags[2] = FrameFlags.vlan;
        const accepted = near.tx(burst);
        burst.dropPrefix(accepted);
        near.flush();
        near.recycle(burst);
        if (far.rx(received) !== accepted || far.tx(received) !== accepted)
          throw new Error('frames were lost');
        if (near.rx(received) !== accepted) throw new Error('frames did not come back');
        near.recycle(received);
        if (near.rx(received) !== 0) throw new Error('frames came twice');
        passed += accepted;
      }
      if (near.statistics().notCaptured !== 0) throw new Error('the capture ended');
    },
  },
];
export default cases;
