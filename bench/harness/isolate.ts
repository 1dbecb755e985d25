import { parentPort, Worker } from 'node:worker_threads';

/**
 * A worker thread that answers one question at a time, and sleeps in between.
 *
 * Measured code runs in one of these: the types that other code has shown to the functions it calls, and the garbage
 * that other code has left, are not there. The module that it runs calls {@link serve}.
 */
export class Isolate<Question, Answer> {
  readonly #worker: Worker;
  #pending: PromiseWithResolvers<Answer> | undefined;
  #failure: unknown;

  /**
   * Starts the thread; it is listening when the first answer is there.
   *
   * @param module - what runs in it, from `siblingUrl`
   * @param data - goes to `workerData`
   */
  constructor(module: URL, data?: unknown) {
    this.#worker = new Worker(module, { workerData: data });
    this.#worker.on('message', (answer: Answer) => {
      const pending = this.#pending;
      this.#pending = undefined;
      pending?.resolve(answer);
    });
    this.#worker.on('error', (error) => {
      this.#failure = error;
      this.#pending?.reject(error);
    });
  }

  /** Asks, and resolves to the answer. @throws what the module threw, then or before */
  async ask(question: Question): Promise<Answer> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#pending = Promise.withResolvers<Answer>();
    this.#worker.postMessage(question);
    return this.#pending.promise;
  }

  /** Ends the thread, whatever it does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}

/** Answers, in the module of an {@link Isolate}, each question with what `answer` returns or resolves to. */
export function serve<Question, Answer>(answer: (question: Question) => Answer | Promise<Answer>): void {
  parentPort!.on('message', async (question: Question) => {
    parentPort!.postMessage(await answer(question));
  });
}
