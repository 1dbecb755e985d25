import type { Target } from './target.ts';

/** Something that `barewire bench` measures, in rounds. */
export interface BenchCase {
  /** What it is called on the command line: `ring`. */
  readonly name: string;
  /** What is measured, in one sentence without a full stop. */
  readonly about: string;
  /**
   * `micro` measures functions; these cases take turns round by round, so between its rounds a case uses no processor.
   * `system` measures packets through the kernel; such a case runs alone, and only its peers take turns.
   */
  readonly kind: 'micro' | 'system';
  /** Runs only when named on the command line; false by default. */
  readonly long?: boolean;
  /** Schemes of the ports that {@link BenchContext.via} may name; none by default. */
  readonly vias?: readonly string[];
  /**
   * Why the case cannot run here, such as `it needs root`; undefined when it can.
   *
   * @param via - as in {@link BenchContext.via}
   */
  needs?(via?: string): string | undefined;
  /**
   * Measures in the rounds of {@link BenchContext.rounds}.
   *
   * @throws whatever keeps it from measuring; the other cases still run
   */
  run(context: BenchContext): Promise<readonly Measurement[]>;
}

/** What a running case gets from the harness. */
export interface BenchContext {
  /**
   * The port to run over, as a spec, when the user asks for one; absent for the usual, which alone is held against
   * targets.
   */
  readonly via?: string | undefined;
  /**
   * Yields the index of each round. One round measures every variant and peer once; other cases, and the calibration
   * loop, run between two rounds.
   *
   * @param count - rounds when the user asks for no number of them; 7 by default
   */
  rounds(count?: number): AsyncGenerator<number, void, void>;
  /** How long one variant or peer is measured in one round, when the user asks for no other time [s]. */
  seconds(usual: number): number;
  /** Says what is left out and why, such as a peer that is not installed. */
  note(text: string): void;
}

/** One figure of a case, with a value of ours and of each peer from every round. */
export interface Measurement {
  /** What it is called: `p50`, `throughput`. */
  readonly figure: string;
  readonly unit: string;
  /** One value a round; their median counts. */
  readonly ours: readonly number[];
  /** What our median has to reach. */
  readonly target?: Target;
  /** None by default. */
  readonly peers?: readonly PeerMeasurement[];
}

/** The same figure of something else, measured in the same rounds. */
export interface PeerMeasurement {
  readonly name: string;
  /** One value a round. */
  readonly values: readonly number[];
  /** What our median divided by the peer's has to reach; never scaled. */
  readonly target?: Target;
}
