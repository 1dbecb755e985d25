import { basename, extname, isAbsolute } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Transferable } from 'node:worker_threads';
import type { Pollable } from '../core/index.ts';
import type { Scheduling } from '../sys/index.ts';

/** The names of the idle strategies. */
export const idleNames = ['busySpin', 'yield', 'backoff', 'block'] as const;

/** What a lane does when there is no work: see {@link BusySpin}, {@link Yield}, {@link Backoff}, {@link Block}. */
export type IdleName = (typeof idleNames)[number];

/** What to run on a lane, and where. */
export interface LaneSpec {
  /** module that makes the program: a URL, or an absolute path; {@link siblingUrl} finds one beside the caller */
  module: URL | string;
  /** the module's export that makes the program, a {@link LaneFactory}; default `createLane` */
  export?: string;
  /** handed to the factory as a structured clone; shared memory stays shared */
  data?: unknown;
  /** objects in `data` to move instead of copying */
  transfer?: readonly Transferable[];
  /** for messages, counters and the thread's name (its first 15 bytes); default the module's file name */
  name?: string;
  /** core to pin the thread to; default none: the thread floats over the housekeeping cores */
  core?: number;
  /** default `backoff` */
  idle?: IdleName;
  /** most work of one pollable in one pass, 1 to 65536; default 64 [the pollable's own unit] */
  budget?: number;
  /** network namespace to live in: `NetworkNamespace.path`, or a file of /run/netns; default the owner's */
  netns?: string;
  /** SCHED_FIFO at this priority, 1 to 99; default normal scheduling */
  realtime?: number;
  /** refuse to start where {@link LaneReport.reasons} would have an entry; default false */
  strict?: boolean;
  /** how long a stop may take before the thread is ended by force; default 2000 [ms] */
  stopTimeoutMs?: number;
}

/** What the lane tells its program. */
export interface LaneContext {
  /** as in the spec */
  readonly name: string;
  /** core that the thread is pinned to; undefined when it floats */
  readonly core: number | undefined;
  /** The lane's clock. [monotonic ns] */
  readonly nowNs: () => number;
  /** Stops the lane from inside, when the job is done: the pass in hand is the last. */
  stop(): void;
}

/** What a factory makes, and a lane drives until it stops. */
export interface LaneProgram {
  /** polled in this order in every pass */
  readonly pollables: readonly Pollable[];
  /** What {@link Lane.programReport} shows once the lane runs, as a structured clone: how the program runs. */
  report?(): unknown;
  /** Gives everything back; called once at the end, after an error of poll() too. */
  close?(): void;
  /** What {@link Lane.done} resolves with, as a structured clone; called after close(), unless there was an error. */
  result?(): unknown;
}

/**
 * Makes a program, inside the lane's thread: already in its namespace and on its core.
 *
 * Synchronous: once the loop runs, the thread's event loop never turns again.
 *
 * @param data - as in the spec
 */
export type LaneFactory<Data = never> = (context: LaneContext, data: Data) => LaneProgram;

/** How a lane runs, and why it runs weaker than asked where it does. */
export interface LaneReport {
  /** as in the spec */
  readonly name: string;
  /** the kernel's number of the thread, as in /proc/PID/task */
  readonly tid: number;
  /** core that the thread is pinned to; undefined when it floats */
  readonly core: number | undefined;
  readonly idle: IdleName;
  /** scheduling of the thread */
  readonly policy: Scheduling['policy'];
  /** one line for everything weaker than asked, or dangerous as asked */
  readonly reasons: readonly string[];
}

/** A {@link LaneSpec} checked and complete. */
export interface CheckedLaneSpec {
  readonly module: string;
  readonly export: string;
  readonly name: string;
  readonly core: number | undefined;
  readonly idle: IdleName;
  readonly budget: number;
  readonly netns: string | undefined;
  readonly realtime: number | undefined;
  readonly strict: boolean;
  readonly stopTimeoutMs: number;
}

/** Checks a spec and fills in the defaults. @throws TypeError or RangeError naming what is wrong */
export function checkLaneSpec(spec: LaneSpec): CheckedLaneSpec {
  const module = moduleUrl(spec.module);
  const name = spec.name ?? nameOf(module);
  const idle = spec.idle ?? 'backoff';
  if (!idleNames.includes(idle)) {
    throw new TypeError(
      `Cannot start lane ${name}: idle must be one of ${idleNames.join(', ')}, got ${String(idle)}`,
    );
  }
  return {
    module: module.href,
    export: spec.export ?? 'createLane',
    name,
    idle,
    core: whole(name, 'core', spec.core, 0, 8191),
    budget: whole(name, 'budget', spec.budget, 1, 65_536) ?? 64,
    netns: spec.netns,
    realtime: whole(name, 'realtime', spec.realtime, 1, 99),
    strict: spec.strict ?? false,
    stopTimeoutMs: whole(name, 'stopTimeoutMs', spec.stopTimeoutMs, 1, 3_600_000) ?? 2_000,
  };
}

function moduleUrl(module: URL | string): URL {
  if (module instanceof URL) return module;
  if (isAbsolute(module)) return pathToFileURL(module);
  if (URL.canParse(module)) return new URL(module);
  // A relative path would be resolved against the lane's own worker, which nobody means.
  throw new TypeError(`Cannot start lane: module must be a URL or an absolute path, got ${module}`);
}

function nameOf(module: URL): string {
  if (module.protocol !== 'file:') return 'lane';
  const path = fileURLToPath(module);
  return basename(path, extname(path));
}

function whole(
  name: string,
  what: string,
  value: number | undefined,
  min: number,
  max: number,
): number | undefined {
  if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return value;
  throw new RangeError(`Cannot start lane ${name}: ${what} must be ${min} to ${max}, got ${value}`);
}
