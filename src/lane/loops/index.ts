/**
 * lane/loops: the plain loops that the field measures with, over any port: `rxdrop`, `txonly`, `l2fwd`, `echo`.
 *
 * - {@link RxDrop} receives and forgets; {@link TxOnly} sends one frame over and over;
 * - {@link L2Forward} sends frames on, on the same or another port; without a copy where both see the same memory,
 *   else by {@link copyFrames};
 * - {@link UdpEcho} sends datagrams back to their senders.
 *
 * Each is a {@link PortLoop}, a pollable for a lane. A poll receives one burst and is done with it when it returns: no
 * frame is kept but those of txonly that found no room.
 *
 * {@link runLoop} runs one on a lane of its own, by a {@link LoopSpec} that names ports; {@link sampleLoop} tells what it
 * does every second, or with each burst of a sweep. What the lane counts comes over as {@link LoopReading}s.
 *
 * Invariants: every chunk goes back to the port it came from, or onto its tx ring; every frame that a loop loses is
 * counted under a reason in `drops()`, what a port loses stands in the port's statistics.
 *
 * Not here: pacing; VLAN tags that a NIC took off (l2fwd counts the frames that go on without); anything that looks behind the UDP header.
 *
 * References: samples/bpf/xdpsock_user.c of Linux up to 5.18 (the verbs); RFC 862.
 */
export { COPY_DROPS, CopyDrop, copyFrames } from './copyFrames.ts';
export { L2Forward, type L2ForwardSpec } from './l2Forward.ts';
export type { LoopPortReport, LoopReading, LoopReport } from './loopReading.ts';
export { LoopReporter } from './loopReporter.ts';
export { type LoopSpec, type LoopVerb, loopVerbs } from './loopSpec.ts';
export { type PortLoop, type PortLoopSpec, sendOrDrop } from './portLoop.ts';
export { type RunningLoop, runLoop } from './runLoop.ts';
export { RxDrop } from './rxDrop.ts';
export {
  type LoopOutput,
  type LoopSample,
  type LoopStart,
  type SampleLoopOptions,
  sampleLoop,
  sweepBursts,
} from './sampleLoop.ts';
export { TxOnly } from './txOnly.ts';
export { UdpEcho } from './udpEcho.ts';
