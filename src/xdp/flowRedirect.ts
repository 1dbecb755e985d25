import {
  asksDriver,
  type BpfMap,
  BpfProgram,
  type FlowCounters,
  type FlowMetadata,
  flowCountersSpec,
  flowProgramSpec,
  readFlowCounters,
  XdpLink,
  type XdpMode,
} from '../bpf/index.ts';
import { type InterfaceInfo, netdevInfo, SystemError } from '../sys/index.ts';
import { agreeOnMetadata } from './agreeOnMetadata.ts';
import type { XdpProgramSpec } from './interfaceSpec.ts';
import { createSocketsMap } from './socketsMap.ts';

/** An AF_XDP socket as the redirect knows it. */
interface Redirected {
  readonly queue: number;
  readonly fd: number;
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
    const reasons: string[] = [];
    let attached: Attached | undefined;
    if (asksDriver(spec.metadata) && spec.attach !== 'generic') {
      const possible = { ...spec, metadata: askable(info, spec, reasons) };
      if (asksDriver(possible.metadata)) attached = askDriver(info, possible, queues, sockets, reasons);
    }
    const metadata = spec.metadata && {};
    attached ??= attach(info, { ...spec, ...(metadata && { metadata }) }, queues, sockets);
    this.metadata = attached.metadata;
    this.sockets = attached.sockets;
    this.#program = attached.program;
    this.#link = attached.link;
    this.attachMode = attached.link.mode;
    if (spec.attach === 'generic' && asksDriver(spec.metadata))
      reasons.push(`${NO_METADATA}: generic mode has none`);
    const { modeReason, replaced } = attached.link;
    if (modeReason !== undefined) reasons.push(`generic instead of native mode: ${modeReason}`);
    if (replaced !== undefined) reasons.push(`taken off and not put back: ${replaced}`);
    this.reasons = reasons;
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
}

/** What the driver can be asked of all that is wanted. @throws Error under `strict` when that is not all */
function askable(
  { name, index }: InterfaceInfo,
  { metadata = {}, strict }: XdpProgramSpec,
  reasons: string[],
): FlowMetadata {
  const has = netdevInfo(index)?.rxMetadata;
  // Kernels before Linux 6.7 do not say, and a driver that tells nothing refuses the program.
  if (has === undefined || has.size === 0) return metadata;
  const { possible, missing } = agreeOnMetadata(metadata, has);
  if (missing.length === 0) return possible;
  const why = `frames come without ${missing.join(' and ')}: the driver tells of ${[...has].join(' and ')}`;
  if (strict) throw new Error(`Cannot open ${name} as asked: ${why}`);
  reasons.push(why);
  return possible;
}

/** Attaches a program that asks the driver about each frame; undefined, with a reason, when it cannot be had. */
function askDriver(
  info: InterfaceInfo,
  spec: XdpProgramSpec,
  queues: number,
  sockets: readonly Redirected[],
  reasons: string[],
): Attached | undefined {
  try {
    return attach(info, { ...spec, attach: 'native' }, queues, sockets);
  } catch (error) {
    if (spec.strict || isAboutTheHost(error)) throw error;
    reasons.push(`${NO_METADATA}: ${(error as Error).message}`);
    return undefined;
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
  readonly sockets: BpfMap;
  readonly program: BpfProgram;
  readonly link: XdpLink;
  readonly metadata: FlowMetadata | undefined;
}

function attach(
  info: InterfaceInfo,
  spec: XdpProgramSpec,
  queues: number,
  redirected: readonly Redirected[],
): Attached {
  const { flows, metadata, maxVlanTags, multiBuffer: frags = false, replace = false } = spec;
  // Under strict, generic mode has to be asked for by name.
  const mode = spec.strict && (spec.attach ?? 'auto') === 'auto' ? 'native' : (spec.attach ?? 'auto');
  using cleanup = new DisposableStack();
  const sockets = cleanup.use(createSocketsMap(queues, metadata));
  for (const { queue, fd } of redirected) sockets.update(queue, fd);
  const program = cleanup.use(
    BpfProgram.load(
      flowProgramSpec({
        flows,
        queues,
        frags,
        ...(maxVlanTags !== undefined && { maxVlanTags }),
        ...(metadata && { metadata }),
        ...(asksDriver(metadata) && { boundTo: info.index }),
      }),
      [sockets],
    ),
  );
  const link = XdpLink.attach(program, info, mode, { replace });
  cleanup.move();
  return { sockets, program, link, metadata };
}
