import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeIntendedTime, encodeOrder, OrderRecord, STAMPED_ORDER_LEN } from '../../src/order/index.ts';
import { nowNs, UdpSocket, withNetns } from '../../src/sys/index.ts';
import type { TestVeth, VethEnd } from '../support/vethPair.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** Nobody's user id, which has no privilege. */
const NOBODY = 65_534;

/** A group of no account, which gives access to the sockets and nothing else. */
export const APP_GROUP = 61_234;

/** A folder for sockets that belong to {@link APP_GROUP}, as docs/gateway.md has it, and for secrets. */
export class SocketFolder implements Disposable {
  readonly path: string;

  constructor() {
    this.path = mkdtempSync(join(tmpdir(), 'barewire-gateway-'));
    chownSync(this.path, 0, APP_GROUP);
    // Whatever is made in it has its group.
    chmodSync(this.path, 0o2750);
  }

  /** Path of a socket in it. */
  socket(name: string): string {
    return join(this.path, name);
  }

  /** Writes a secret that the group can read. @returns its path */
  secret(name: string, text: string): string {
    const path = join(this.path, name);
    writeFileSync(path, text, { mode: 0o640 });
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A `barewire` command in a process of its own; killed when disposed of. */
export class Command implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  out = '';
  err = '';

  private constructor(child: ChildProcess) {
    this.child = child;
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.err += text;
    });
    this.ended = once(child, 'close');
  }

  /** Runs a command as root, where an interface is. */
  static privileged(end: VethEnd, args: readonly string[]): Command {
    return new Command(
      withNetns(end.namespace, () =>
        spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }),
      ),
    );
  }

  /** Runs a command as nobody, with no group but the one given. */
  static unprivileged(setpriv: string, group: number, args: readonly string[]): Command {
    const dropped = [`--reuid=${NOBODY}`, `--regid=${group}`, '--clear-groups', '--bounding-set=-all'];
    return new Command(
      spawn(setpriv, [...dropped, '--no-new-privs', process.execPath, MAIN, ...args], {
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
  }

  /** Waits until `barewire receive` says that it has received so much. */
  async received(count: number): Promise<void> {
    const told = (): number => {
      const last = [...this.err.matchAll(/([\d,]+) received/g)].at(-1)?.[1] ?? '0';
      return Number(last.replaceAll(',', ''));
    };
    await until(`${count} received, not ${this.err}`, () => told() >= count);
  }

  /** Ends it as Ctrl-C does. @returns what it printed last, as JSON */
  async interrupt(): Promise<Record<string, unknown>> {
    this.child.kill('SIGINT');
    await this.ended;
    const last = this.out.trim().split('\n').at(-1)!;
    return JSON.parse(last) as Record<string, unknown>;
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

/** A socket of the far kernel that sends orders to a UDP port of the near end, a burst at a time. */
export class OrderSender implements Disposable {
  /** orders that the kernel took */
  sent = 0;
  #id = 0n;
  readonly #socket: UdpSocket;
  readonly #order = new OrderRecord();
  #flood: NodeJS.Timeout | undefined;

  constructor({ a, b }: TestVeth, port: number) {
    const peer = { address: b.address, port };
    this.#socket = withNetns(a.namespace, () => new UdpSocket({ peer, burst: 32, maxLen: 64 }));
    this.#order.price = 100n;
    this.#order.quantity = 1n;
  }

  send(count: number): void {
    for (let i = 0; i < count; i++) {
      const at = this.#socket.reserve(STAMPED_ORDER_LEN);
      if (at < 0) break; // the far kernel refused the ones before, since nobody was there
      this.#id++;
      this.#order.id = this.#id;
      this.#order.intendedNs = nowNs();
      encodeOrder(this.#socket.sendView, at, this.#order);
      encodeIntendedTime(this.#socket.sendView, at, this.#order);
    }
    this.sent += Math.max(0, this.#socket.flush());
  }

  /** Sends 16 orders every 4 ms until {@link OrderSender.stop}. */
  start(): void {
    this.#flood = setInterval(() => this.send(16), 4);
  }

  stop(): void {
    clearInterval(this.#flood);
  }

  [Symbol.dispose](): void {
    this.stop();
    this.#socket.close();
  }
}

/** Waits up to half a minute. @throws Error that says what for */
export async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 3000; i++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`Waited 30 s in vain: ${what}`);
}
