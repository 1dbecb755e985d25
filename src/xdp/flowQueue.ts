import { setTimeout as sleep } from 'node:timers/promises';
import { type CountedFlow, QueueCounter, type XdpMode } from '../bpf/index.ts';
import {
  type FlowMatch,
  flowRules,
  type HashedField,
  hashedFields,
  interfaceInfo,
  type ListedFlowRule,
  type Rss,
  rss,
  SystemError,
} from '../sys/index.ts';
import { formatIp, parseIp, type RssField, type RssFlow, rssQueue } from '../wire/index.ts';

/** What to find the nicQueue of; plain data. */
export interface FlowQueueSpec {
  /** in the calling thread's network namespace */
  readonly interface: string;
  /** the more of it is told, the more can be computed: what a NIC hashes are both addresses and often both ports */
  readonly flow: CountedFlow;
  /** how long to watch for frames of it when nothing can be computed; 0 not to; default 1000 [ms] */
  readonly watchMs?: number;
  /**
   * where the program that watches runs; default `auto`. NB: to be the mode in which frames will be taken: on veth
   * generic mode numbers the nicQueues of the same frames otherwise
   */
  readonly attach?: XdpMode | 'auto';
}

/** Which nicQueue a flow lands on, and how that is known. */
export interface FlowQueue {
  /** undefined when it is not known, or there are several */
  readonly queue: number | undefined;
  /**
   * - `only` the interface has no other
   * - `rule` a rule in the NIC steers it there
   * - `rss` computed from the NIC's key, table and hashed fields
   * - `observed` a program has seen its frames arrive there
   */
  readonly via: 'only' | 'rule' | 'rss' | 'observed' | undefined;
  /** what was seen of it on each nicQueue; empty when nobody watched [frames] */
  readonly frames: readonly number[];
  /** one line for every way that told nothing */
  readonly reasons: readonly string[];
}

/** What an interface tells of where flows go. */
export interface SteeringFacts {
  readonly nicQueues: number;
  readonly rules: readonly ListedFlowRule[];
  readonly rss: Rss | undefined;
  /** by IP version */
  readonly hashedFields: Readonly<Record<4 | 6, readonly HashedField[] | undefined>>;
}

/**
 * Says which nicQueue of an interface a flow lands on: computed where the driver tells how, else by watching it arrive.
 *
 * Watching needs frames that arrive meanwhile and an interface without an XDP program (many NICs stop for a moment
 * when one is attached in native mode); with `watchMs` 0 nothing is. A flow that is not wholly told may be several to the NIC and land on several nicQueues: then it is watched
 * for all of the time, and the answer has no queue, but the frames by nicQueue.
 *
 * The thread's namespace counts until this function first waits.
 *
 * @throws SystemError ENODEV; RangeError, TypeError when a port or an address is none
 */
export async function flowQueue(spec: FlowQueueSpec): Promise<FlowQueue> {
  const { nicQueues } = interfaceInfo(spec.interface);
  const computed = computeFlowQueue(spec.flow, {
    nicQueues,
    rules: flowRules(spec.interface) ?? [],
    rss: rss(spec.interface),
    hashedFields: { 4: hashedFields(spec.interface, 4), 6: hashedFields(spec.interface, 6) },
  });
  const watchMs = spec.watchMs ?? 1000;
  return computed.queue !== undefined || watchMs <= 0 ? computed : watch(spec, watchMs, computed.reasons);
}

/** The part of {@link flowQueue} that looks at nothing but what the interface has told. */
export function computeFlowQueue(flow: CountedFlow, facts: SteeringFacts): FlowQueue {
  if (facts.nicQueues === 1) return found(0, 'only');
  const known = knownFlow(flow);
  if (known === undefined) return unknown('tell an address of the flow, or its IP version');
  for (const rule of facts.rules.toSorted((a, b) => a.location - b.location)) {
    const verdict = verdictOf(rule.match, known);
    if (verdict === 'passes') continue;
    if (verdict === 'takes' && rule.queue !== undefined) return found(rule.queue, 'rule');
    return unknown(`rule ${rule.location} may take it elsewhere`);
  }
  return byHash(known, facts);
}

/** A flow of one IP version, with its addresses in canonical form. */
interface KnownFlow {
  readonly version: 4 | 6;
  readonly port: number;
  readonly address: string | undefined;
  readonly sourceAddress: string | undefined;
  readonly sourcePort: number | undefined;
}

function knownFlow(flow: CountedFlow): KnownFlow | undefined {
  const bytes = [flow.address, flow.sourceAddress].map((each) =>
    typeof each === 'string' ? parseIp(each) : each,
  );
  const one = bytes.find((each) => each !== undefined);
  const version = one === undefined ? flow.version : one.length === 4 ? 4 : 6;
  if (version === undefined) return undefined;
  const [address, sourceAddress] = bytes.map((each) => each && formatIp(each));
  return { version, port: flow.port, sourcePort: flow.sourcePort, address, sourceAddress };
}

/** Whether a rule takes a flow; what it compares and the flow does not tell makes that unsure. */
function verdictOf(match: FlowMatch | undefined, flow: KnownFlow): 'takes' | 'passes' | 'unsure' {
  if (match === undefined) return 'unsure';
  let verdict: 'takes' | 'unsure' = 'takes';
  for (const field of ['version', 'port', 'address', 'sourceAddress', 'sourcePort'] as const) {
    if (match[field] === undefined) continue;
    if (flow[field] === undefined) verdict = 'unsure';
    else if (flow[field] !== match[field]) return 'passes';
  }
  return verdict;
}

function byHash(flow: KnownFlow, facts: SteeringFacts): FlowQueue {
  const fields = facts.hashedFields[flow.version];
  if (facts.rss === undefined || fields === undefined) {
    return unknown('the driver does not tell how it hashes');
  }
  const { hashFunction, key, table, symmetry } = facts.rss;
  if (hashFunction !== 'toeplitz') return unknown(`the hash function is ${hashFunction}`);
  if (key.length === 0 || table.length === 0) return unknown('the driver keeps key or table to itself');
  const ours = fields.filter((field): field is RssField => field !== 'other');
  if (ours.length < fields.length) return unknown('other fields than addresses and ports are hashed');
  if (ours.length === 0) return unknown('the NIC hashes nothing of it');
  const hashed: RssFlow = {
    sourceAddress: flow.sourceAddress,
    destinationAddress: flow.address,
    sourcePort: flow.sourcePort,
    destinationPort: flow.port,
  };
  const missing = ours.filter((field) => hashed[field] === undefined);
  if (missing.length > 0) return unknown(`the NIC hashes ${missing.join(', ')}, which the flow lacks`);
  return found(rssQueue({ key, table, symmetry, fields: ours }, hashed).queue, 'rss');
}

const LOOK_EVERY_MS = 10;

async function watch(spec: FlowQueueSpec, watchMs: number, before: readonly string[]): Promise<FlowQueue> {
  const { flow, attach = 'auto' } = spec;
  let frames: number[];
  try {
    using counter = new QueueCounter({ interface: spec.interface, flow, attach });
    const whole = [flow.address, flow.sourceAddress, flow.sourcePort].every((each) => each !== undefined);
    const end = performance.now() + watchMs;
    do {
      await sleep(Math.min(LOOK_EVERY_MS, watchMs));
      frames = counter.frames();
    } while (performance.now() < end && !(whole && frames.some((count) => count > 0)));
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return {
      queue: undefined,
      via: undefined,
      frames: [],
      reasons: [...before, `not observed: ${error.message}`],
    };
  }
  const seen = frames.flatMap((count, queue) => (count > 0 ? [queue] : []));
  if (seen.length === 1) return { queue: seen[0], via: 'observed', frames, reasons: before };
  const why =
    seen.length === 0
      ? `no frame of it arrived within ${watchMs} ms`
      : `it arrives on queues ${seen.join(', ')}: several flows to the NIC`;
  return { queue: undefined, via: undefined, frames, reasons: [...before, `not observed: ${why}`] };
}

function found(queue: number, via: FlowQueue['via']): FlowQueue {
  return { queue, via, frames: [], reasons: [] };
}

function unknown(reason: string): FlowQueue {
  return { queue: undefined, via: undefined, frames: [], reasons: [`not computed: ${reason}`] };
}
