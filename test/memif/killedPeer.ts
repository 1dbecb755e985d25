import { Burst } from '../../src/core/index.ts';
import { MemifPort, watchPort } from '../../src/port/index.ts';
import { dieWithParent, MappedFile } from '../../src/sys/index.ts';

// A process that sends and receives until it is killed, and keeps its counts in memory that outlives it (descriptor 3).

/** What a process that runs this file is told as its only argument, in JSON. */
export interface KilledPeerTask {
  readonly path: string;
  readonly role: 'client' | 'server';
  readonly idle: 'busySpin' | 'block';
  readonly ringSize: number;
}

/** Words of the memory: each is written after what it counts was done. */
export const Kept = { sent: 0, received: 1 } as const;

/** Frames that may be done and not counted yet, or the other way round, when the kill comes. */
export const KILLED_BURST = 32;

if (import.meta.main) {
  const { path, role, idle, ringSize } = JSON.parse(process.argv[2]!) as KilledPeerTask;
  dieWithParent(process.ppid);
  const kept = new Uint32Array(new MappedFile(3, 4096, 0, 'counts').buffer);
  const port = new MemifPort({ path, role, ringSize });
  const toSend = new Burst(KILLED_BURST);

  /** Counts what came, and sends as many frames as there is room for, each with its number. */
  const handle = (received: Burst): void => {
    kept[Kept.received]! += received.count;
    port.recycle(received);
    port.alloc(toSend, KILLED_BURST - toSend.count);
    for (let i = 0; i < toSend.count; i++) {
      toSend.len[i] = 60;
      port.regions[0]!.view.setUint32(toSend.addr[i]!, kept[Kept.sent]! + i);
    }
    const accepted = port.tx(toSend);
    kept[Kept.sent]! += accepted;
    toSend.dropPrefix(accepted);
    port.flush();
  };

  if (idle === 'block') {
    for await (const burst of watchPort(port, { burst: KILLED_BURST })) handle(burst);
  } else {
    const burst = new Burst(KILLED_BURST);
    for (;;) {
      port.rx(burst);
      handle(burst);
    }
  }
}
