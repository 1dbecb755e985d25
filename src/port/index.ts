/**
 * L3: one shape for every wire.
 *
 * Job: let a program receive and transmit frames without knowing what carries them. `Port` is the interface; an adapter
 * for each backend implements it; a spec string such as `xdp:eth0?queue=0` names one.
 *
 * Data: a `Burst` of descriptors in, a `Burst` out; `regions` are the memory that addrs point into.
 *
 * Invariants
 * - rx() and alloc() hand chunks out, tx() and recycle() take them back; every chunk returns to the port it came from.
 * - tx() accepts a prefix; what it does not accept stays the caller's. A chained frame goes whole or not at all.
 * - Every frame lost is counted under a reason; a port says how it runs and why weaker than asked.
 * - One contract suite (`port.contract.ts`) runs over every adapter; a case left out needs a reason.
 *
 * Not here: threads (`lane/`), protocols (`wire/`, `order/`).
 */
export { CapturePort, type CaptureSpec, type CaptureStatistics } from './capturePort.ts';
export { type FaultCounts, FaultPort } from './faultPort.ts';
export { type FaultSpec, parseFaultSpec } from './faultSpec.ts';
export { LoopPort, type LoopSpec } from './loopPort.ts';
export { MemifPort, type MemifPortSpec } from './memifPort.ts';
export { type OpenPortOptions, openPort, PORT_SCHEMES } from './openPort.ts';
export { type OpenedPorts, openPorts } from './openPorts.ts';
export { PacketPort } from './packetPort.ts';
export { PcapPort, type PcapSpec } from './pcapPort.ts';
export type { Port, PortReport, PortStatistics, Region } from './port.ts';
export { OptionReader, type PortSpec, parsePortSpec } from './portSpec.ts';
export { TapPort, type TapPortSpec } from './tapPort.ts';
export { TracePort, type TraceSink } from './tracePort.ts';
export { PortWatch, type PortWatchEvents, type WatchPortOptions, watchPort } from './watchPort.ts';
export { WrappedPort } from './wrappedPort.ts';
export { XdpPort } from './xdpPort.ts';
