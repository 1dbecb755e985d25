import { writeSync } from 'node:fs';
import { Burst } from '../../src/core/index.ts';
import { dieWithParent, NetworkNamespace, nowNs } from '../../src/sys/index.ts';
import { XdpInterface } from '../../src/xdp/index.ts';

// A process that sends or receives the test flow over AF_XDP until it is killed, and tells how far it is in lines of JSON.

/** What a process that runs this file is told as its only argument, in JSON. */
export interface XdpFlowTask {
  readonly role: 'sender' | 'receiver';
  readonly namespacePath: string;
  readonly interface: string;
  readonly port: number;
  /** what a sender sends [base64] */
  readonly frame: string;
  /** between bursts [ms]; 0 is full rate */
  readonly pauseMs: number;
}

/** A line that such a process writes. */
export interface XdpFlowReport {
  /** how long opening took [ms] */
  readonly openMs: number;
  readonly mode: string;
  readonly reasons: readonly string[];
  /** sent or received so far */
  readonly frames: number;
}

const EVERY_NS = 100e6;
const task = JSON.parse(process.argv[2]!) as XdpFlowTask;
dieWithParent(process.ppid);
using namespace = NetworkNamespace.open(task.namespacePath);
namespace.enter();
const startNs = nowNs();
using xdp = new XdpInterface({ interface: task.interface, flows: [{ port: task.port }], mode: 'copy' });
const openMs = (nowNs() - startNs) / 1e6;
const socket = xdp.sockets[0]!;
const pause = new Int32Array(new SharedArrayBuffer(4));
const frame = Buffer.from(task.frame, 'base64');
const burst = new Burst(64);
const step = task.role === 'sender' ? send : receive;

report(0);
for (let frames = 0, first = true, due = 0; ; ) {
  frames += step();
  const now = nowNs();
  if ((first && frames > 0) || now >= due) {
    first = frames === 0;
    due = now + EVERY_NS;
    report(frames);
  }
  if (task.pauseMs > 0) Atomics.wait(pause, 0, 0, task.pauseMs);
}

function send(): number {
  burst.clear();
  socket.alloc(burst, burst.capacity);
  for (let i = 0; i < burst.count; i++) {
    socket.umem.bytes.set(frame, burst.addr[i]!);
    burst.len[i] = frame.length;
  }
  const accepted = socket.tx(burst);
  burst.dropPrefix(accepted);
  socket.recycle(burst);
  socket.flush();
  return accepted;
}

function receive(): number {
  const count = socket.rx(burst);
  socket.recycle(burst);
  return count;
}

function report(frames: number): void {
  const { attachMode, mode, reasons } = xdp;
  const line: XdpFlowReport = { openMs, mode: `${attachMode} ${mode}`, reasons, frames };
  writeSync(1, `${JSON.stringify(line)}\n`);
}
