import { destinationsOf } from '../bpf/index.ts';
import {
  type BusyPoll,
  enableBusyPoll,
  FlowRule,
  GroupMembership,
  incomingNapi,
  PromiscuousMode,
  SystemError,
} from '../sys/index.ts';
import { formatIp } from '../wire/index.ts';
import type { XdpInterfaceSpec } from './interfaceSpec.ts';
import type { XdpSocket } from './socket.ts';

/** What was set up around an interface's sockets, and what could not be. */
export interface Surroundings {
  /** undefined when it was not asked for */
  readonly busyPoll: BusyPoll | undefined;
  /** one line for everything but busy polling that is weaker than asked */
  readonly reasons: readonly string[];
}

/**
 * Sets up what `spec` asks of the interface itself: groups, promiscuous mode, rules of the NIC, busy polling.
 *
 * @param resources - gets everything, to be put back in reverse order
 * @throws SystemError, under `strict` also for what would only be weaker
 */
export function setUpAround(
  spec: XdpInterfaceSpec,
  sockets: readonly XdpSocket[],
  resources: DisposableStack,
): Surroundings {
  const reasons: string[] = [];
  if (spec.promiscuous) resources.use(new PromiscuousMode(spec.interface));
  for (const group of spec.groups ?? []) {
    const wanted = typeof group === 'string' ? { group } : group;
    resources.use(new GroupMembership({ interface: spec.interface, ...wanted }));
  }
  if (spec.steer) steer(spec, sockets, resources, reasons);
  return { busyPoll: busyPoll(spec, sockets, resources), reasons };
}

function steer(
  spec: XdpInterfaceSpec,
  sockets: readonly XdpSocket[],
  resources: DisposableStack,
  reasons: string[],
): void {
  if (sockets.length !== 1) {
    throw new TypeError(
      `Cannot steer flows of ${spec.interface}: name one queue to steer them to, ${sockets.length} are open`,
    );
  }
  const { queue } = sockets[0]!;
  try {
    for (const { version, port, address } of spec.flows.flatMap(destinationsOf)) {
      const rule = {
        interface: spec.interface,
        queue,
        version,
        port,
        ...(address && { address: formatIp(address) }),
      };
      const { earlier, owned } = resources.use(new FlowRule({ ...rule, replace: spec.replace ?? false }));
      if (earlier !== undefined) {
        reasons.push(`rule ${earlier.location} of the NIC was there and is ${owned ? 'replaced' : 'used'}`);
      }
    }
  } catch (error) {
    if (spec.strict || !(error instanceof SystemError) || error.code !== 'EOPNOTSUPP') throw error;
    reasons.push(`flows not steered to queue ${queue}: ${error.message}`);
  }
}

function busyPoll(
  spec: XdpInterfaceSpec,
  sockets: readonly XdpSocket[],
  resources: DisposableStack,
): BusyPoll | undefined {
  if (!spec.busyPoll) return undefined;
  const fds = sockets.map(({ fd }) => fd);
  const queues = sockets.map(({ queue }) => queue);
  const options = spec.busyPoll === true ? {} : spec.busyPoll;
  const polling = resources.use(enableBusyPoll(fds, spec.interface, options, queues));
  if (spec.strict && polling.reasons.length > 0) {
    throw new Error(`Cannot busy-poll ${spec.interface} as asked: ${polling.reasons.join('; ')}`);
  }
  const engage = (): boolean => {
    const engaged = polling.engage();
    for (const socket of sockets) if (incomingNapi(socket.fd) !== 0) socket.busyPoll();
    return engaged;
  };
  // Some kernels name the NAPI with the first frame only.
  if (!engage()) for (const socket of sockets) socket.whenIdle(engage);
  return polling;
}
