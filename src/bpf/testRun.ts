import { SystemError } from '../sys/index.ts';
import * as k from '../sys/uapi/index.ts';
import { BpfStruct, bpf } from './bpfCall.ts';
import type { BpfProgram } from './program.ts';

/** One run of a program, or many in a row, on a frame that comes from nowhere. */
export interface TestRun {
  /** 14 bytes or more, which the program may change in its own copy */
  readonly frame: Uint8Array;
  /** how often; default 1 */
  readonly repeat?: number;
  /** the interface and nicQueue that the frame seems to have come in by; default the namespace's loopback */
  readonly ifindex?: number;
  /** needs `ifindex`; default 0 */
  readonly rxQueue?: number;
}

/** What a program made of a frame. */
export interface TestRunResult {
  /** what the program returned: for XDP the action */
  readonly returned: number;
  /** the frame as the program left it */
  readonly frame: Uint8Array;
  /** mean of all repetitions [ns] */
  readonly durationNs: number;
}

/** Frames for the kernel to make. */
export interface Injection {
  readonly frame: Uint8Array;
  /** how many copies [frames] */
  readonly repeat: number;
  /** how many of them the kernel handles at a time, 1 to 256; default 64 [frames] */
  readonly burst?: number;
  /** the interface that they seem to have come in by, in the calling thread's namespace */
  readonly ifindex: number;
  /** default 0 */
  readonly rxQueue?: number;
}

/** Room for a program that makes the frame longer. */
const GROWTH = 256;

/**
 * Runs a program on one frame without any effect but on maps, and returns what it answered.
 *
 * @throws SystemError EINVAL when the frame is too short or long, or the interface has no such nicQueue
 * @since Linux 4.12; a choice of interface since Linux 5.14
 */
export function testRun(program: BpfProgram, run: TestRun): TestRunResult {
  const field = k.bpf_attr_test;
  const out = new Uint8Array(run.frame.length + GROWTH);
  const attr = attrFor(program, run);
  attr.set(field.repeat, run.repeat ?? 1);
  attr.set(field.data_size_out, out.length);
  attr.point(field.data_out, out);
  if (run.ifindex !== undefined) pointContext(attr, run.frame, run.ifindex, run.rxQueue);
  check(bpf(k.BPF_PROG_TEST_RUN, attr), 'Cannot test-run BPF program', program);
  return {
    returned: attr.get(field.retval),
    frame: out.subarray(0, attr.get(field.data_size_out)),
    durationNs: attr.get(field.duration),
  };
}

/**
 * Has the kernel run a program on copies of a frame and act on its verdicts: XDP_PASS receives the frame on the
 * interface, XDP_TX transmits it there, a redirect redirects.
 *
 * The copies are made once and used again: a change that the program makes to a frame is still there when the same
 * memory comes round. Blocks the calling thread until all are through.
 *
 * NB: the other end of a veth pair takes frames only when it has an XDP program or GRO.
 *
 * @throws SystemError EINVAL before Linux 5.18, EINTR when a signal came
 * @since Linux 5.18
 */
export function injectFrames(program: BpfProgram, injection: Injection): void {
  const field = k.bpf_attr_test;
  const attr = attrFor(program, injection);
  attr.set(field.repeat, injection.repeat);
  attr.set(field.flags, k.BPF_F_TEST_XDP_LIVE_FRAMES);
  attr.set(field.batch_size, injection.burst ?? 0);
  pointContext(attr, injection.frame, injection.ifindex, injection.rxQueue);
  check(bpf(k.BPF_PROG_TEST_RUN, attr), 'Cannot inject frames with BPF program', program);
}

function attrFor(program: BpfProgram, { frame }: { readonly frame: Uint8Array }): BpfStruct {
  const attr = new BpfStruct(k.bpf_attr_test.sizeof);
  attr.set(k.bpf_attr_test.prog_fd, program.fd);
  attr.set(k.bpf_attr_test.data_size_in, frame.length);
  attr.point(k.bpf_attr_test.data_in, frame);
  return attr;
}

/** NB: in a test run's context `data` and `data_end` are offsets in the frame, not addresses. */
function pointContext(attr: BpfStruct, frame: Uint8Array, ifindex: number, rxQueue = 0): void {
  const context = new BpfStruct(k.xdp_md.sizeof);
  context.set(k.xdp_md.data_end, frame.length);
  context.set(k.xdp_md.ingress_ifindex, ifindex);
  context.set(k.xdp_md.rx_queue_index, rxQueue);
  attr.set(k.bpf_attr_test.ctx_size_in, k.xdp_md.sizeof);
  attr.point(k.bpf_attr_test.ctx_in, context.view);
}

function check(result: number, action: string, program: BpfProgram): void {
  if (result >= 0) return;
  throw new SystemError(action, {
    syscall: 'bpf(BPF_PROG_TEST_RUN)',
    errno: -result,
    subject: program.spec.name,
  });
}
