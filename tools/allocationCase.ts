/**
 * A loop over hot functions whose allocation the gate measures.
 *
 * A file `x.alloc.ts` beside the source exports an array of these as its default. It runs in a process of its own;
 * what a case needs is set up at the top of the module, or once before its `run`.
 */
export interface AllocationCase {
  /** What is measured, in a few words: `SpscQueue push and pop, bursts of 32`. */
  readonly name: string;
  /** The `@hot` functions that the loop calls: `Class.method` of this folder, or `folder/name` of another. */
  readonly covers: readonly string[];
  /** Operations in the short run [operations]; 10^7 unless told, and not less. The long run makes four times as many. */
  readonly operations?: number;
  /** Why this case cannot run here, such as a missing privilege; undefined when it can. */
  readonly skip?: string | undefined;
  /** Performs `count` operations; called for warm-up first. It must not allocate. */
  run(count: number): void;
}
