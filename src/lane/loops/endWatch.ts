import type { Pollable } from '../../core/index.ts';
import type { Port } from '../../port/index.ts';

/** Ends a lane once nothing will ever arrive on its ports again, as at the end of a recording. */
export class EndWatch implements Pollable {
  readonly fds: readonly number[];
  readonly #ports: readonly Port[];
  readonly #end: () => void;

  /** @param end - called in every pass from then on */
  constructor(ports: readonly Port[], end: () => void) {
    this.fds = ports.flatMap((port) => port.fds);
    this.#ports = ports;
    this.#end = end;
  }

  /** Whether ports are there that can be at an end, all of them. */
  static isFor(ports: readonly Port[]): boolean {
    return ports.every((port) => port.ended !== undefined);
  }

  /** Looks whether all are at their end. @returns 0 */
  poll(_budget: number): number {
    const ports = this.#ports;
    let ended = true;
    for (let i = 0; i < ports.length; i++) ended = ended && ports[i]!.ended === true;
    if (ended) this.#end();
    return 0;
  }

  /** Does nothing. @returns true: it never keeps a lane awake */
  arm(): boolean {
    return true;
  }
}
