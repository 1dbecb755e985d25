import * as k from '../sys/uapi/index.ts';
import type { Assembler } from './assembler.ts';
import * as m from './frameMetadata.ts';
import { type Register, r0, r1, r2, r3, r4, r8, r10 } from './registers.ts';

/** What a flow program is to tell of each frame of ours; the time when it saw the frame is always told. */
export interface FlowMetadata {
  /** `hardware` asks the device as well; default `kernel` */
  readonly timestamp?: 'hardware' | 'kernel';
  /** the hash that the device chose the nicQueue by; default false */
  readonly hash?: boolean;
  /** the VLAN tag that the device took off the frame; default false */
  readonly vlan?: boolean;
}

/** Tells whether the driver has to be asked: the program must then be bound to the interface and run in native mode. */
export function asksDriver(metadata: FlowMetadata | undefined): boolean {
  return metadata?.timestamp === 'hardware' || metadata?.hash === true || metadata?.vlan === true;
}

/** The record is put together on the stack, so that this stands where the frame would begin. */
const FRAME = -8;
const valid = r8;

/**
 * Assembles what writes the {@link METADATA_LEN} bytes before the frame; jumps to the label `noMetadata` when there is no room.
 *
 * Changes r0 to r5 and r8; no pointer into the frame is usable afterwards. The stack is used down to r10 - 40.
 *
 * NB: a driver may keep its metadata where ours goes, so everything is asked for first, and written last.
 *
 * measured: 53 ns more for a frame of ours with the kernel's time alone (medians of 15 x 200,000 test runs, 2 shared cores
 * of a virtual machine).
 *
 * @param context - the register that holds it, r6 or r9
 */
export function writeMetadata(a: Assembler, context: Register, metadata: FlowMetadata): void {
  a.label('metadata');
  a.mov(valid, 0);
  for (const field of [m.METADATA_HARDWARE_NS, m.METADATA_HASH, m.METADATA_VLAN_TCI])
    a.st('u64', r10, FRAME + field, 0);
  if (metadata.timestamp === 'hardware') askTimestamp(a, context);
  if (metadata.hash) askHash(a, context);
  if (metadata.vlan) askVlan(a, context);
  a.label('stamp');
  a.stx('u32', r10, FRAME + m.METADATA_VALID, valid);
  a.comment('bpf_ktime_get_ns');
  a.call(k.BPF_FUNC_ktime_get_ns);
  a.stx('u64', r10, FRAME + m.METADATA_KERNEL_NS, r0);
  makeRoom(a, context);
  for (let offset = 0; offset < m.METADATA_LEN; offset += 8) {
    a.ldx('u64', r4, r10, FRAME - m.METADATA_LEN + offset);
    a.stx('u64', r2, offset, r4);
  }
}

function askTimestamp(a: Assembler, context: Register): void {
  a.mov(r1, context);
  address(a, r2, m.METADATA_HARDWARE_NS);
  a.callKernel('bpf_xdp_metadata_rx_timestamp', 'Linux 6.3');
  a.jne32(r0, 0, 'noTimestamp');
  a.ldx('u64', r1, r10, FRAME + m.METADATA_HARDWARE_NS);
  a.comment('0: a veth answers so for a frame that no device has stamped');
  a.jeq(r1, 0, 'noTimestamp');
  a.or(valid, m.METADATA_HAS_HARDWARE_NS);
  a.label('noTimestamp');
}

function askHash(a: Assembler, context: Register): void {
  a.mov(r1, context);
  address(a, r2, m.METADATA_HASH);
  address(a, r3, m.METADATA_HASH_TYPE);
  a.callKernel('bpf_xdp_metadata_rx_hash', 'Linux 6.3');
  a.jne32(r0, 0, 'noHash');
  a.or(valid, m.METADATA_HAS_HASH);
  a.label('noHash');
}

function askVlan(a: Assembler, context: Register): void {
  a.mov(r1, context);
  address(a, r2, m.METADATA_VLAN_PROTOCOL);
  address(a, r3, m.METADATA_VLAN_TCI);
  a.callKernel('bpf_xdp_metadata_rx_vlan_tag', 'Linux 6.8');
  a.jne32(r0, 0, 'noVlan');
  a.or(valid, m.METADATA_HAS_VLAN);
  a.comment('the protocol is in network order');
  a.ldx('u16', r1, r10, FRAME + m.METADATA_VLAN_PROTOCOL);
  a.be(16, r1);
  a.stx('u16', r10, FRAME + m.METADATA_VLAN_PROTOCOL, r1);
  a.label('noVlan');
}

/** Makes r2 point at the record's place before the frame. */
function makeRoom(a: Assembler, context: Register): void {
  a.label('room');
  // A frame that another program has sent here may have metadata: ours takes its place.
  a.ldx('u32', r2, context, k.xdp_md.data);
  a.ldx('u32', r3, context, k.xdp_md.data_meta);
  a.sub(r2, r3);
  a.sub(r2, m.METADATA_LEN);
  a.mov(r1, context);
  a.comment('bpf_xdp_adjust_meta');
  a.call(k.BPF_FUNC_xdp_adjust_meta);
  a.jne32(r0, 0, 'noMetadata');
  a.ldx('u32', r2, context, k.xdp_md.data_meta);
  a.ldx('u32', r3, context, k.xdp_md.data);
  a.mov(r4, r2);
  a.add(r4, m.METADATA_LEN);
  a.jgt(r4, r3, 'noMetadata');
}

function address(a: Assembler, dst: Register, field: number): void {
  a.mov(dst, r10);
  a.add(dst, FRAME + field);
}
