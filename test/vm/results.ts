import type { TestContext } from 'node:test';
import type { GuestEvent } from './guest/events.ts';

/** A test that ran in the guest. */
export interface GuestTest {
  readonly name: string;
  readonly skip: boolean | string;
  readonly error: string | null;
  readonly durationMs: number;
  /** what it said */
  readonly notes: string[];
  readonly children: readonly GuestTest[];
}

/** Builds the tree of tests from the guest's lines: children end before their parent, and notes follow an end. */
export class GuestResults {
  readonly tests: GuestTest[] = [];
  #kernel: string | undefined;
  #running: string[] = [];
  #finished = false;
  /** at each nesting, the tests that have ended under the parent that runs */
  readonly #levels: GuestTest[][] = [this.tests];
  #last: GuestTest | undefined;

  /** the guest's `uname -r`; undefined until Node runs there */
  get kernel(): string | undefined {
    return this.#kernel;
  }

  /** how far the guest has come, for people */
  get place(): string {
    if (this.#kernel === undefined) return 'while it booted';
    if (this.#running.length > 0) return `in "${this.#running.join(' › ')}"`;
    return this.#last === undefined ? 'before its first test ended' : `after "${this.#last.name}"`;
  }

  /** every test has ended */
  get finished(): boolean {
    return this.#finished;
  }

  add(event: GuestEvent): void {
    if (event.event === 'started') this.#kernel = event.kernel;
    else if (event.event === 'finished') this.#finished = true;
    else if (event.event === 'note') this.#last?.notes.push(event.text);
    else if (event.event === 'begin') this.#running = [...this.#running.slice(0, event.nesting), event.name];
    else {
      const { name, nesting, skip, error, durationMs } = event;
      const children = this.#ended(nesting + 1).splice(0);
      this.#last = { name, skip, error, durationMs, notes: [], children };
      this.#ended(nesting).push(this.#last);
      this.#running = this.#running.slice(0, nesting);
    }
  }

  #ended(nesting: number): GuestTest[] {
    while (this.#levels.length <= nesting) this.#levels.push([]);
    return this.#levels[nesting]!;
  }
}

/** Repeats the guest's results as subtests here, each with what it said and how long it took there. */
export async function reportTests(t: TestContext, tests: readonly GuestTest[]): Promise<void> {
  for (const test of tests) {
    await t.test(test.name, async (s) => {
      if (test.skip !== false) return s.skip(test.skip === true ? 'in the guest' : test.skip);
      s.diagnostic(`${test.durationMs.toFixed(0)} ms in the guest`);
      for (const note of test.notes) s.diagnostic(note);
      await reportTests(s, test.children);
      // A parent of tests that failed has failed with them.
      const own = test.error !== null && test.children.every(({ error }) => error === null);
      if (own) throw new Error(`In the guest: ${test.error}`);
    });
  }
}
