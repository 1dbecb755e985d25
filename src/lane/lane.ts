import { Worker } from 'node:worker_threads';
import type { CountersPage } from '../core/index.ts';
import { EventFd } from '../sys/index.ts';
import { describeError, reviveError } from './errorTransfer.ts';
import { clearCores, dismiss, enrol, inTurn } from './laneCores.ts';
import { createLanePage, type LaneStatistics, readLanePage } from './laneCounters.ts';
import type { LaneMessage, LaneOrder } from './laneMessage.ts';
import { type CheckedLaneSpec, checkLaneSpec, type LaneReport, type LaneSpec } from './laneSpec.ts';
import { siblingUrl } from './siblingUrl.ts';
import { StopFlag } from './stopFlag.ts';

/** How a lane came to its end. */
interface Outcome {
  readonly result?: unknown;
  readonly error?: Error;
}

/**
 * A thread of its own that drives pollables, as seen by the thread that started it.
 *
 * ```ts
 * const lane = await Lane.start({ module: siblingUrl(import.meta.url, './receive'), core: 1, idle: 'busySpin' });
 * …
 * await lane.stop();
 * const result = await lane.done;
 * ```
 *
 * A lane ends by {@link Lane.stop}, by its program's `context.stop()`, or by an error. The error, wherever it came
 * from, reaches the owner exactly once: from {@link Lane.start} before the loop ran, from {@link Lane.done}
 * afterwards. An owner that never looks at `done` gets it as an unhandled rejection.
 *
 * Start all pinned lanes of a process from one thread: another would take them for threads that are no lanes, and
 * move them off their cores when it starts its own.
 */
export class Lane implements AsyncDisposable {
  /**
   * Resolves with the program's result when the thread is gone, or rejects with the error that ended it.
   *
   * A SystemError is one again here; errors of unknown classes are Errors of the same name with the same fields. When
   * close() failed after another error, its error stands in `suppressed` of that one.
   */
  readonly done: Promise<unknown>;
  /** the lane's own counters, live: {@link LaneCounter} */
  readonly counters: CountersPage;
  readonly #spec: CheckedLaneSpec;
  readonly #worker: Worker;
  readonly #flag: StopFlag;
  readonly #wake: EventFd;
  readonly #placed: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #running: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #gone: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #done: PromiseWithResolvers<unknown> = Promise.withResolvers();
  #tid = 0;
  #report: LaneReport | undefined;
  #programReport: unknown;
  #outcome: Outcome | undefined;
  #deadline: NodeJS.Timeout | undefined;

  private constructor(spec: LaneSpec, checked: CheckedLaneSpec, reasons: readonly string[]) {
    const stop = new SharedArrayBuffer(StopFlag.SIZE);
    this.#spec = checked;
    this.#flag = new StopFlag(stop);
    this.counters = createLanePage(checked.name);
    this.done = this.#done.promise;
    this.#wake = EventFd.create(`stop of lane ${checked.name}`);
    const order: LaneOrder = {
      spec: checked,
      reasons,
      data: spec.data,
      stop,
      stopFd: this.#wake.fd,
      counters: this.counters.values.buffer as SharedArrayBuffer,
    };
    try {
      this.#worker = new Worker(siblingUrl(import.meta.url, './laneWorker'), {
        name: checked.name,
        workerData: order,
        transferList: [...(spec.transfer ?? [])],
      });
    } catch (error) {
      this.#wake.close();
      throw error;
    }
    this.#worker.on('message', (message: LaneMessage) => this.#hear(message));
    this.#worker.on('messageerror', (error: Error) => this.#end({ error }));
    this.#worker.on('error', (thrown: unknown) => this.#end({ error: reviveError(describeError(thrown)) }));
    this.#worker.on('exit', (code) => this.#exit(code));
  }

  /**
   * Starts a thread, has the program made there, and resolves once its loop runs.
   *
   * @throws TypeError, RangeError for a spec that makes no sense
   * @throws whatever the thread met before its loop ran, after the thread is gone
   */
  static async start(spec: LaneSpec): Promise<Lane> {
    const checked = checkLaneSpec(spec);
    const lane = await inTurn(async () => {
      const starting = new Lane(spec, checked, clearCores(checked.core));
      await starting.#placed.promise;
      return starting;
    });
    await lane.#running.promise;
    return lane;
  }

  /** As in the spec, or the file name of the module. */
  get name(): string {
    return this.#spec.name;
  }

  /** How the lane runs, and why it runs weaker than asked where it does. */
  get report(): LaneReport {
    return this.#report!;
  }

  /** What the program's report() returned when the lane began to run; undefined when it has none. */
  get programReport(): unknown {
    return this.#programReport;
  }

  /** Reads the lane's counters, while it runs and afterwards. */
  statistics(): LaneStatistics {
    return readLanePage(this.counters);
  }

  /**
   * Asks the lane to stop and resolves when its thread is gone, usually within 100 ms; the lane's error is `done`'s.
   *
   * Idempotent. A program that is still busy after `stopTimeoutMs` is cut off, which `done` reports: then close() was
   * not called, and what it had open stays open until the process ends.
   *
   * NB: nothing ends a thread in an endless system call; then this never resolves.
   */
  stop(): Promise<void> {
    if (this.#flag.requested) return this.#gone.promise;
    this.#flag.request();
    this.#wake.signal();
    this.#deadline = setTimeout(() => this.#cutOff(), this.#spec.stopTimeoutMs);
    return this.#gone.promise;
  }

  /** The same as {@link Lane.stop}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #hear(message: LaneMessage): void {
    switch (message.kind) {
      case 'placed':
        this.#tid = message.tid;
        if (message.core !== undefined) enrol(message.tid, message.core);
        this.#placed.resolve();
        break;
      case 'running':
        this.#report = message.report;
        this.#programReport = message.programReport;
        this.#running.resolve();
        break;
      case 'ended':
        this.#end({ result: message.result });
        break;
      case 'failed':
        this.#end({ error: reviveError(message.error) });
    }
  }

  /** The first word about the end is the one that counts. */
  #end(outcome: Outcome): void {
    this.#outcome ??= outcome;
  }

  #cutOff(): void {
    const { name, stopTimeoutMs } = this.#spec;
    this.#end({
      error: new Error(`Cannot stop lane ${name} within ${stopTimeoutMs} ms: its program did not return`),
    });
    void this.#worker.terminate();
  }

  #exit(code: number): void {
    clearTimeout(this.#deadline);
    this.#flag.request(); // nothing is left that stop() could stop
    this.#wake.close();
    dismiss(this.#tid);
    this.#end({
      error: new Error(`Cannot go on with lane ${this.name}: its thread exited with code ${code}`),
    });
    const { result, error } = this.#outcome!;
    this.#placed.resolve();
    if (error === undefined) this.#done.resolve(result);
    else if (this.#report === undefined) this.#running.reject(error);
    else this.#done.reject(error);
    this.#gone.resolve();
  }
}
