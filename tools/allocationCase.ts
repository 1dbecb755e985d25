/**
 * A loop over hot functions whose allocation the gate measures.
 *
 * A file `x.alloc.ts` beside the source exports an array of these as its default. It runs in a process of its own;
 * what a case needs is set up at the top of the module, or once before its `run`.
 */
export interface AllocationCase {
  /** What is measured, in a few words: `SpscQueue push and pop, bursts of 32`. */
  readonly name: string;
  /**
   * The `@hot` functions that the loop calls: `Class.method` of this folder, or `folder/name` of another.
   *
   * The gate counts the calls: at least one for every 64 frames, so that the smallest object in any of them (16 bytes)
   * is 0.25 bytes per frame.
   */
  readonly covers: readonly string[];
  /**
   * Frames for which a lane makes this operation once, 1 to 64; 1 unless told.
   *
   * For operations that make a system call, of which a lane makes a few per burst: what one allocates is divided among
   * these frames, and so many times fewer operations make the 10^7 frames of the measurement.
   */
  readonly framesPerOperation?: number;
  /** Why this case cannot run here, such as a missing privilege; undefined when it can. */
  readonly skip?: string | undefined;
  /**
   * Performs `count` operations; called for warm-up first.
   *
   * It must not allocate, and throws when the functions did not do what they should: a loop over refused frames
   * measures nothing.
   */
  run(count: number): void;
}
