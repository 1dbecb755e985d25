import { setTimeout as sleep } from 'node:timers/promises';
import { Burst } from '../../core/index.ts';
import { MemifPort, type Port } from '../../port/index.ts';

const TIMEOUT_MS = 5000;
/** A port that is polled looks after its peer once in some ten thousand polls: so many are sure to. */
const POLLS = 1 << 16;

/** Waits until somebody is at the other end of a port, where that can be told. @throws Error when nobody comes */
export async function awaitPeer(port: Port): Promise<void> {
  const received = new Burst(1);
  const deadline = performance.now() + TIMEOUT_MS;
  const look = (): void => {
    for (let i = 0; i < POLLS; i++) {
      port.rx(received);
      port.recycle(received);
    }
  };
  // First, since the peer of before may be gone.
  look();
  while (port instanceof MemifPort && !port.interface.connected) {
    if (performance.now() > deadline) {
      throw new Error(`Cannot send through ${port.spec}: ${port.report.reasons.join('; ')}`);
    }
    look();
    await sleep(1);
  }
}
