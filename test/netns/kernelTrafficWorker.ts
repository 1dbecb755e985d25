import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { libc } from '../../src/ffi/index.ts';
import { NetworkNamespace, PollSet } from '../../src/sys/index.ts';

// One end of the traffic of kernelTraffic.ts: ordinary sockets in a network namespace, as Node and the kernel have them.

/** What a worker that runs this file is. */
export interface KernelTrafficTask {
  readonly role: 'server' | 'client';
  readonly namespacePath: string;
  readonly address: string;
  readonly port: number;
}

/** What the client found, or why nothing came back. */
export type KernelTrafficResult = { readonly ok: true; readonly ms: number } | { readonly error: string };

const task = workerData as KernelTrafficTask;
using namespace = NetworkNamespace.open(task.namespacePath);
namespace.enter();
const PATIENCE_MS = 10_000;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const IPPROTO_ICMP = 1;
const ICMP_ECHO = 8;

if (task.role === 'server') {
  const server = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  server.listen(task.port, task.address);
  const datagrams = createSocket('udp4', (message, { port, address }) =>
    datagrams.send(message, port, address),
  );
  datagrams.bind(task.port, task.address);
  await Promise.all([once(server, 'listening'), once(datagrams, 'listening')]);
}
const checks: Readonly<Record<string, () => Promise<void>>> = { tcp, udp, ping: async () => ping() };
parentPort!.on('message', async (check: string) => {
  const start = performance.now();
  try {
    await checks[check]!();
    parentPort!.postMessage({ ok: true, ms: performance.now() - start } satisfies KernelTrafficResult);
  } catch (error) {
    parentPort!.postMessage({ error: `${check}: ${error}` } satisfies KernelTrafficResult);
  }
});
parentPort!.postMessage({ ok: true, ms: 0 } satisfies KernelTrafficResult);

/** 100,000 bytes there and back over a connection of their own. */
async function tcp(): Promise<void> {
  const socket = connect({ port: task.port, host: task.address, signal: AbortSignal.timeout(PATIENCE_MS) });
  const sent = randomBytes(100_000);
  socket.end(sent);
  const pieces: Buffer[] = [];
  for await (const piece of socket) pieces.push(piece as Buffer);
  if (!Buffer.concat(pieces).equals(sent)) throw new Error('what came back is not what was sent');
}

/** A datagram there and back; sent again when it is lost, as UDP may be. */
async function udp(): Promise<void> {
  const socket = createSocket('udp4');
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const answer = once(socket, 'message', { signal });
  const send = (): void => socket.send('hello', task.port, task.address);
  const again = setInterval(send, 500);
  try {
    send();
    const [message] = (await answer) as [Buffer];
    if (message.toString() !== 'hello') throw new Error('what came back is not what was sent');
  } finally {
    clearInterval(again);
    socket.close();
  }
}

/** An ICMP echo and its reply, by a raw socket: RFC 792. */
function ping(): void {
  const fd = libc.socket(2, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
  if (fd < 0) throw new Error(`socket: errno ${libc.errno()}`);
  try {
    const id = Math.floor(Math.random() * 65_536);
    const echo = new DataView(new ArrayBuffer(16));
    echo.setUint8(0, ICMP_ECHO);
    echo.setUint16(4, id);
    const sum = (ICMP_ECHO << 8) + id;
    echo.setUint16(2, ~((sum & 0xffff) + (sum >>> 16)) & 0xffff);
    const to = new DataView(new ArrayBuffer(16));
    to.setUint16(0, 2, true);
    for (const [i, byte] of task.address.split('.').entries()) to.setUint8(4 + i, Number(byte));
    if (libc.sendto(fd, echo, 16, 0, to, 16) !== 16) throw new Error(`sendto: errno ${libc.errno()}`);
    const readable = new PollSet([fd]);
    const reply = new DataView(new ArrayBuffer(128));
    for (const end = performance.now() + PATIENCE_MS; performance.now() < end; ) {
      if (readable.wait(100) <= 0) continue;
      // A raw socket gets the IP header too, and everybody's ICMP.
      if (libc.recvfrom(fd, reply, 128, 0, null, null) < 28) continue;
      const at = (reply.getUint8(0) & 0xf) * 4;
      if (reply.getUint8(at) === 0 && reply.getUint16(at + 4) === id) return;
    }
    throw new Error('no reply');
  } finally {
    libc.close(fd);
  }
}
