import { constants } from 'node:os';
import type { Pollable } from '../core/index.ts';
import { PollSet, SystemError } from '../sys/index.ts';
import { POLLNVAL } from '../sys/uapi/index.ts';
import { Idled, type IdleStrategy, MAX_SLEEP_MS } from './idle.ts';

const { EBADF } = constants.errno;

/** Longest sleep when something might happen that no fd tells of. [ms] */
const UNTOLD_SLEEP_MS = 1;

/**
 * Sleeps in one poll(2) over the fds of all pollables and the lane's stop eventfd, {@link MAX_SLEEP_MS} at most.
 *
 * Costs 0.2 % of a core when idle; the first frame waits for a wake-up, some ten microseconds. No wake-up is lost:
 * every pollable is armed after a pass without work and before the sleep.
 *
 * What cannot wake a sleeper shortens the sleep to 1 ms: a pollable without fds, or one whose arm() still says false
 * after another pass that found no work.
 *
 * NB: an fd in an error state is readable for ever, so a pollable has to throw or to take the error off the fd when
 * poll() or arm() meets it; otherwise the lane spins. A closed fd ends the lane.
 *
 * @source poll(2)
 */
export class Block implements IdleStrategy {
  /** whether some pollable has no fd, so that sleeps are of 1 ms only */
  readonly untold: boolean;
  readonly #pollables: readonly Pollable[];
  readonly #fds: readonly number[];
  readonly #set: PollSet;
  #refused = false;

  /**
   * @param pollables - their `fds` are read here, once
   * @param stopFd - becomes readable when the lane is to stop
   */
  constructor(pollables: readonly Pollable[], stopFd: number) {
    this.untold = pollables.some((pollable) => pollable.fds.length === 0);
    this.#pollables = pollables;
    this.#fds = [stopFd, ...pollables.flatMap((pollable) => pollable.fds)];
    this.#set = new PollSet(this.#fds);
  }

  /** Sleeps until an fd is readable, unless arm() finds work. @throws SystemError EBADF when an fd was closed */
  wait(): Idled {
    const armed = this.#arm();
    // Work that arm() saw is there for the next pass. If that finds none either, arm() meant that nothing could wake us.
    if (!armed && !this.#refused) {
      this.#refused = true;
      return Idled.spun;
    }
    return this.#sleep(armed && !this.untold ? MAX_SLEEP_MS : UNTOLD_SLEEP_MS);
  }

  /** There was work, so a refusal to be armed is forgotten. */
  reset(): void {
    this.#refused = false;
  }

  #arm(): boolean {
    let armed = true;
    for (let i = 0; i < this.#pollables.length; i++) {
      if (!this.#pollables[i]!.arm()) armed = false;
    }
    if (armed) this.#refused = false;
    return armed;
  }

  #sleep(timeoutMs: number): Idled {
    const ready = this.#set.wait(timeoutMs);
    if (ready === 0) return Idled.slept;
    if (ready < 0) throw new SystemError('Cannot sleep', { syscall: 'poll', errno: -ready });
    for (let i = 0; i < this.#fds.length; i++) {
      if ((this.#set.ready(i) & POLLNVAL) !== 0) throwClosed(this.#fds[i]!);
    }
    return Idled.woken;
  }
}

function throwClosed(fd: number): never {
  throw new SystemError('Cannot sleep on', { syscall: 'poll', errno: EBADF, subject: `fd ${fd}` });
}
