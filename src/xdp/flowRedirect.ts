import {
  asksDriver,
  BpfMap,
  BpfProgram,
  FLOW_SOCKETS,
  type FlowCounters,
  type FlowMetadata,
  flowCountersSpec,
  flowProgramSpec,
  type MapSpec,
  readFlowCounters,
  XdpLink,
  type XdpMode,
} from '../bpf/index.ts';
import { type InterfaceInfo, SystemError } from '../sys/index.ts';
import type { XdpProgramSpec } from './interfaceSpec.ts';

/** An AF_XDP socket as the redirect knows it. */
interface Redirected {
  readonly queue: number;
  readonly fd: number;
}

/** The map from nicQueue to socket; the kernel takes a closed socket out by itself. */
export function socketsMapSpec(queues: number): MapSpec {
  return { name: FLOW_SOCKETS, type: 'xskmap', keyLen: 4, valueLen: 4, capacity: queues };
}

/**
 * The program that redirects flows, attached to an interface, and its map of sockets.
 *
 * Says what it got: where the program runs, what the driver tells of frames, what it replaced.
 */
export class FlowRedirect implements Disposable {
  /** where the program runs */
  readonly attachMode: XdpMode;
  /** what is told of each frame; undefined when nothing is */
  readonly metadata: FlowMetadata | undefined;
  /** one line for every step down from what was asked, and for a program that was replaced */
  readonly reasons: readonly string[];
  /** from nicQueue to socket */
  readonly sockets: BpfMap;
  readonly #program: BpfProgram;
  readonly #link: XdpLink;

  /**
   * Attaches the program, with the sockets in place, so that no frame of ours falls between.
   *
   * @param queues - nicQueues that a frame may come from
   * @throws SystemError EPERM, EBUSY when another XDP program is attached (named in the message)
   */
  constructor(info: InterfaceInfo, spec: XdpProgramSpec, queues: number, sockets: readonly Redirected[]) {
    using cleanup = new DisposableStack();
    this.sockets = cleanup.use(BpfMap.create(socketsMapSpec(queues)));
    for (const { queue, fd } of sockets) this.sockets.update(queue, fd);
    const reasons: string[] = [];
    let attached: Attached | undefined;
    if (asksDriver(spec.metadata) && spec.attach !== 'generic') {
      attached = this.#askDriver(info, spec, queues, reasons);
    }
    const metadata = spec.metadata && {};
    attached ??= attach(info, { ...spec, ...(metadata && { metadata }) }, queues, this.sockets);
    this.metadata = attached.metadata;
    this.#program = attached.program;
    this.#link = attached.link;
    this.attachMode = attached.link.mode;
    if (spec.attach === 'generic' && asksDriver(spec.metadata))
      reasons.push(`${NO_METADATA}: generic mode has none`);
    const { modeReason, replaced } = attached.link;
    if (modeReason !== undefined) reasons.push(`generic instead of native mode: ${modeReason}`);
    if (replaced !== undefined) reasons.push(`taken off and not put back: ${replaced}`);
    this.reasons = reasons;
    cleanup.move();
  }

  /** What the program did with every frame that arrived, by outcome. */
  counters(): FlowCounters {
    return readFlowCounters(this.#program.map(flowCountersSpec.name));
  }

  /** Detaches the program. Idempotent. */
  close(): void {
    this.#link.close();
    this.#program.close();
    this.sockets.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Attaches a program that asks the driver about each frame; undefined, with a reason, when it cannot be had. */
  #askDriver(
    info: InterfaceInfo,
    spec: XdpProgramSpec,
    queues: number,
    reasons: string[],
  ): Attached | undefined {
    try {
      return attach(info, { ...spec, attach: 'native' }, queues, this.sockets);
    } catch (error) {
      if (spec.strict || isAboutTheHost(error)) throw error;
      reasons.push(`${NO_METADATA}: ${(error as Error).message}`);
      return undefined;
    }
  }
}

const NO_METADATA = 'only the kernel tells of frames, and not the driver';

/** Errors that another program would meet as well. */
function isAboutTheHost(error: unknown): boolean {
  return (
    error instanceof SystemError && ['EPERM', 'EACCES', 'EBUSY', 'EEXIST', 'ENODEV'].includes(error.code)
  );
}

interface Attached {
  readonly program: BpfProgram;
  readonly link: XdpLink;
  readonly metadata: FlowMetadata | undefined;
}

function attach(info: InterfaceInfo, spec: XdpProgramSpec, queues: number, sockets: BpfMap): Attached {
  const { flows, metadata, maxVlanTags, multiBuffer: frags = false, replace = false } = spec;
  // Under strict, generic mode has to be asked for by name.
  const mode = spec.strict && (spec.attach ?? 'auto') === 'auto' ? 'native' : (spec.attach ?? 'auto');
  const program = BpfProgram.load(
    flowProgramSpec({
      flows,
      queues,
      frags,
      ...(maxVlanTags !== undefined && { maxVlanTags }),
      ...(metadata && { metadata }),
      ...(asksDriver(metadata) && { boundTo: info.index }),
    }),
    [sockets],
  );
  try {
    return { program, link: XdpLink.attach(program, info, mode, { replace }), metadata };
  } catch (error) {
    program.close();
    throw error;
  }
}
