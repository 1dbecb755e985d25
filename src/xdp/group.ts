import type { FlowCounters, FlowMetadata, XdpMode } from '../bpf/index.ts';
import { type InterfaceInfo, interfaceInfo } from '../sys/index.ts';
import { FlowRedirect } from './flowRedirect.ts';
import type { XdpProgramSpec } from './interfaceSpec.ts';

/**
 * The redirect program of an interface whose nicQueues are spread over lanes.
 *
 * The thread that makes it attaches the program and keeps it; each lane opens its nicQueues with an
 * {@link XdpInterface} or a port spec that names the group's {@link XdpGroup.socketsFd}, a number that may travel to the
 * lane. A frame of ours on a nicQueue that no lane has opened passes to the kernel, counted as `noSocket`.
 */
export class XdpGroup implements Disposable {
  /** the interface as it was when the program was attached */
  readonly info: InterfaceInfo;
  /** where the program runs */
  readonly attachMode: XdpMode;
  /** what is told of each frame; undefined when nothing is */
  readonly metadata: FlowMetadata | undefined;
  /** one line for every step down from what was asked */
  readonly reasons: readonly string[];
  readonly #redirect: FlowRedirect;

  /** Attaches the program. @throws SystemError EPERM, ENODEV, EBUSY when another XDP program is attached */
  constructor(spec: XdpProgramSpec) {
    this.info = interfaceInfo(spec.interface);
    const { rxQueues, nicQueues } = this.info;
    this.#redirect = new FlowRedirect(this.info, spec, Math.max(rxQueues, nicQueues), []);
    this.attachMode = this.#redirect.attachMode;
    this.metadata = this.#redirect.metadata;
    this.reasons = this.#redirect.reasons;
  }

  /** What lanes join the group by: a descriptor of this process. */
  get socketsFd(): number {
    return this.#redirect.sockets.fd;
  }

  /** What the program did with every frame that arrived, by outcome. */
  flowCounters(): FlowCounters {
    return this.#redirect.counters();
  }

  /** Detaches the program; the sockets of the lanes receive nothing from then on. Idempotent. */
  close(): void {
    this.#redirect.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
