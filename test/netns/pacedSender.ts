import { workerData } from 'node:worker_threads';
import { NetworkNamespace, nowNs, UdpSocket } from '../../src/sys/index.ts';

/** What a worker that runs this file sends: `count` datagrams, `burst` of them every `intervalNs`. */
export interface PacedSenderTask {
  /** of the namespace to send from */
  readonly namespacePath: string;
  readonly peer: { readonly address: string; readonly port: number };
  readonly count: number;
  readonly burst: number;
  readonly intervalNs: number;
  /** how many the receiver has; it is never more than {@link WINDOW} behind, however slow [int32] */
  readonly received: Int32Array<SharedArrayBuffer>;
}

/** Half of the rx ring: a machine that stands still for a while loses nothing. */
const WINDOW = 1024;
const DEADLINE_NS = 30e9;

const task = workerData as PacedSenderTask;
using namespace = NetworkNamespace.open(task.namespacePath);
namespace.enter();
using socket = new UdpSocket({ peer: task.peer, burst: task.burst });
const pause = new Int32Array(new SharedArrayBuffer(4));

// Each datagram: f64 when it was sent [monotonic ns], u32 its number.
const started = nowNs();
for (let sent = 0; sent < task.count; ) {
  waitUntil(started + (sent / task.burst) * task.intervalNs);
  while (sent + task.burst - Atomics.load(task.received, 0) > WINDOW) waitUntil(nowNs() + 1e6);
  let taken = 0;
  while (taken < task.burst && sent + taken < task.count) {
    const offset = socket.reserve(12);
    socket.sendView.setFloat64(offset, nowNs());
    socket.sendView.setUint32(offset + 8, sent + taken++);
  }
  sent += taken;
  while (taken > 0) {
    taken -= Math.max(0, socket.flush());
    waitUntil(0);
  }
}

function waitUntil(due: number): void {
  for (let now = nowNs(); ; now = nowNs()) {
    if (now - started > DEADLINE_NS) throw new Error('Cannot send: the receiver has stopped receiving');
    if (now >= due) return;
    if (due - now > 200_000) Atomics.wait(pause, 0, 0, (due - now) / 1e6 - 0.1);
  }
}
