import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseMac } from '../../src/wire/index.ts';
import { TEST_UDP_PORT, udpFrame } from '../support/frames.ts';
import type { TestVeth } from '../support/vethPair.ts';
import type { XdpFlowReport, XdpFlowTask } from './xdpFlowProcess.ts';

const PROGRAM = fileURLToPath(new URL('./xdpFlowProcess.ts', import.meta.url));
const PATIENCE_MS = 20_000;

/** A process at one end of a veth pair that sends (end a) or receives (end b) the test flow over AF_XDP. */
export class XdpFlow implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #last: XdpFlowReport | undefined;
  #err = '';

  constructor(veth: TestVeth, role: XdpFlowTask['role'], pauseMs: number) {
    const { a, b } = veth;
    const end = role === 'sender' ? a : b;
    const task: XdpFlowTask = {
      role,
      namespacePath: end.namespace.path,
      interface: end.name,
      port: TEST_UDP_PORT,
      frame: Buffer.from(udpFrame(parseMac(a.mac), parseMac(b.mac), 18, 1)).toString('base64'),
      pauseMs,
    };
    this.#child = spawn(process.execPath, [PROGRAM, JSON.stringify(task)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#ended = once(this.#child, 'close');
    let rest = '';
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) this.#last = JSON.parse(line) as XdpFlowReport;
    });
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#err += text;
    });
  }

  /** frames sent or received so far, as last told */
  get frames(): number {
    return this.#last?.frames ?? 0;
  }

  /** Waits for more than `frames` frames; fails when the process ends, or is silent for 20 s. */
  async moreThan(frames: number): Promise<XdpFlowReport> {
    for (const end = performance.now() + PATIENCE_MS; this.frames <= frames; ) {
      assert.equal(this.#child.exitCode, null, this.#err);
      assert.ok(performance.now() < end, `stayed at ${this.frames} frames; ${this.#err}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return this.#last!;
  }

  /** Kills it, as kill -9 does. @returns when the kernel has told of its end */
  kill(): Promise<unknown> {
    this.#child.kill('SIGKILL');
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
