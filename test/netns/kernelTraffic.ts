import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { TestVeth, VethEnd } from '../support/vethPair.ts';
import type { KernelTrafficResult, KernelTrafficTask } from './kernelTrafficWorker.ts';

const PORT = 7007;

/** Ordinary traffic between the kernels at the two ends of a veth pair: what must work whatever Barewire does beside it. */
export class KernelTraffic implements AsyncDisposable {
  readonly #server: Worker;
  readonly #client: Worker;

  private constructor(server: Worker, client: Worker) {
    this.#server = server;
    this.#client = client;
  }

  /** Has end b serve, and end a ask. */
  static async between({ a, b }: TestVeth): Promise<KernelTraffic> {
    const start = async (role: KernelTrafficTask['role'], end: VethEnd): Promise<Worker> => {
      const task: KernelTrafficTask = {
        role,
        namespacePath: end.namespace.path,
        address: b.address,
        port: PORT,
      };
      const worker = new Worker(new URL('./kernelTrafficWorker.ts', import.meta.url), { workerData: task });
      await once(worker, 'message');
      return worker;
    };
    return new KernelTraffic(await start('server', b), await start('client', a));
  }

  /** Makes one exchange; fails when nothing comes back within 10 s. @returns how long it took [ms] */
  async check(what: 'tcp' | 'udp' | 'ping'): Promise<number> {
    const answer = once(this.#client, 'message');
    this.#client.postMessage(what);
    const [result] = (await answer) as [KernelTrafficResult];
    assert.ok('ok' in result, JSON.stringify(result));
    return result.ms;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#client.terminate(), this.#server.terminate()]);
  }
}
