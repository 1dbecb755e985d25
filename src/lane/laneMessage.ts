import type { ErrorData } from './errorTransfer.ts';
import type { CheckedLaneSpec, LaneReport } from './laneSpec.ts';

/** What the owner hands to the lane's thread at its start. */
export interface LaneOrder {
  readonly spec: CheckedLaneSpec;
  /** what its owner already knows to be weaker than asked */
  readonly reasons: readonly string[];
  /** for the factory */
  readonly data: unknown;
  /** a {@link StopFlag} */
  readonly stop: SharedArrayBuffer;
  /** eventfd of the owner that becomes readable with the flag */
  readonly stopFd: number;
  /** a counters page */
  readonly counters: SharedArrayBuffer;
}

/** What the thread tells its owner: `placed` and `running` at most once each, then `ended` or `failed` once. */
export type LaneMessage =
  | { readonly kind: 'placed'; readonly tid: number; readonly core: number | undefined }
  | { readonly kind: 'running'; readonly report: LaneReport; readonly programReport: unknown }
  | { readonly kind: 'ended'; readonly result: unknown }
  | { readonly kind: 'failed'; readonly error: ErrorData };
