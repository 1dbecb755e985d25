/**
 * L2: BPF programs, from TypeScript to the kernel.
 *
 * Job: assemble programs, load them, attach them to interfaces, run them on test frames; and generate the one program
 * that takes the wanted UDP flows to AF_XDP sockets; count by nicQueue where a flow arrives.
 *
 * Data
 * - A spec is plain data, built without privileges: `Assembly` (code, labels, comments, map references), `MapSpec`,
 *   `ProgramSpec`, `FlowProgramSpec`. It may travel to another thread.
 * - A live object owns one descriptor: `BpfMap`, `BpfProgram` (and the maps that it made), `XdpLink`. It closes
 *   idempotently and is Disposable.
 *
 * Invariants
 * - Maps are referred to by name; descriptors go into a copy of the code when it is loaded, never into the spec.
 * - A refusal by the verifier is a VerifierError with the whole log, the verdict and the assembler line.
 * - Programs are attached by a link, which the kernel takes down with the process that holds it, unless it is pinned.
 * - The flow program sends nothing but its flows to sockets, passes everything else to the kernel, and counts each frame
 *   once. Fragments, IPv4 options, IPv6 extension headers and VLAN tags: see {@link flowProgramSpec}.
 * - Nothing is pinned, and nobody else's program replaced, unless asked for.
 *
 * Not here: AF_XDP sockets (`xdp/`), programs compiled from C; of BTF no more than the ids of the kernel's functions,
 * those of modules left out.
 *
 * References: RFC 9669, bpf(2), linux/bpf.h, Documentation/bpf/, Documentation/networking/af_xdp.rst.
 */
export {
  BPF_FUNC_map_lookup_elem,
  BPF_FUNC_map_update_elem,
  BPF_FUNC_redirect_map,
  XDP_ABORTED,
  XDP_DROP,
  XDP_PASS,
  XDP_REDIRECT,
  XDP_TX,
  xdp_md,
} from '../sys/uapi/index.ts';
export type { AtomicOperation, LoadSize, StoreSize } from './assembler.ts';
export { Assembler } from './assembler.ts';
export type { Assembly, FunctionReference, MapReference } from './assembly.ts';
export { disassemble } from './disassemble.ts';
export { FLOW_SOCKETS, MAX_EXTENSIONS } from './flowAssembly.ts';
export type { FlowCounters, FlowOutcome } from './flowCounters.ts';
export { FLOW_OUTCOMES, flowCountersSpec, readFlowCounters } from './flowCounters.ts';
export type { FlowMetadata } from './flowMetadata.ts';
export { asksDriver } from './flowMetadata.ts';
export type { FlowProgramSpec } from './flowProgram.ts';
export { flowProgramSpec } from './flowProgram.ts';
export type { Destination, FlowSpec } from './flowSpec.ts';
export { destinationsOf } from './flowSpec.ts';
export {
  METADATA_HARDWARE_NS,
  METADATA_HAS_HARDWARE_NS,
  METADATA_HAS_HASH,
  METADATA_HAS_VLAN,
  METADATA_HASH,
  METADATA_HASH_TYPE,
  METADATA_KERNEL_NS,
  METADATA_LEN,
  METADATA_VALID,
  METADATA_VLAN_PROTOCOL,
  METADATA_VLAN_TCI,
} from './frameMetadata.ts';
export type { Operand } from './instructionBuffer.ts';
export type { XdpAttachOptions, XdpLinkInfo, XdpMode, XdpTarget } from './link.ts';
export { XdpLink } from './link.ts';
export type { MapData, MapSpec, MapType, MapUpdate } from './map.ts';
export { BpfMap, possibleCpus } from './map.ts';
export { bpfJit, unprivilegedBpf } from './probes.ts';
export { BpfProgram } from './program.ts';
export type { ProgramInfo } from './programInfo.ts';
export { programInfo } from './programInfo.ts';
export type { ProgramSpec, ProgramType } from './programSpec.ts';
export type { CountedFlow, QueueCounterSpec } from './queueCounter.ts';
export { QueueCounter, queueCounterSpec, readQueueCounts } from './queueCounter.ts';
export type { RedirectProgramSpec } from './redirectProgram.ts';
export { redirectProgramSpec } from './redirectProgram.ts';
export type { Register } from './registers.ts';
export { r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10 } from './registers.ts';
export type { Injection, TestRun, TestRunResult } from './testRun.ts';
export { verdictProgramSpec } from './verdictProgram.ts';
export { VerifierError } from './verifierError.ts';
