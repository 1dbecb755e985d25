import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { MemifClient, type MemifEndpoint, MemifServer } from '../../src/memif/index.ts';
import { encodeMessage, type Message, MessageType } from '../../src/memif/protocol.ts';
import { RING_COOKIE, ringLen } from '../../src/memif/ring.ts';
import {
  createMemfd,
  createSealedMemfd,
  EventFd,
  type Fd,
  leakedFds,
  TimerFd,
  UnixListener,
  UnixSocket,
} from '../../src/sys/index.ts';
import { Random } from './random.ts';

// A peer that knows the protocol and lies now and then: messages changed, left out, said twice, cut short, with other
// descriptors than they need, for as long as the time box lasts. A failure names the seed; with BAREWIRE_SEED=<seed> the
// same peers come first.

const TIME_BOX_MS = process.env.BAREWIRE_SOAK === '1' ? 60_000 : 1500;
const SEED = Number(process.env.BAREWIRE_SEED ?? Date.now() % 2 ** 31);

const folder = mkdtempSync(join(tmpdir(), 'memif-fuzz-'));
const LOG2 = 4;
const RING = ringLen(LOG2);
const MEMORY = 4096;

const stack = new DisposableStack();
const good = stack.use(createSealedMemfd('good', MEMORY));
const unsealed = stack.use(createMemfd('unsealed', MEMORY));
const small = stack.use(createSealedMemfd('small', 16));
const event = stack.use(EventFd.create('fuzz'));
const timer = stack.use(new TimerFd('fuzz'));
const anyFds: readonly number[] = [good.fd, unsealed.fd, small.fd, event.fd, timer.fd, 0];

after(() => {
  stack.dispose();
  rmSync(folder, { recursive: true });
  assert.deepEqual(leakedFds(), []);
});

const openCount = (): number => readdirSync('/proc/self/fd').length;
const mappingCount = (): number => readFileSync('/proc/self/maps', 'latin1').split('memfd:').length;

interface Said {
  readonly message: Message;
  readonly fds: readonly number[];
}

const clientTalk: readonly Said[] = [
  {
    message: {
      type: MessageType.init,
      version: 0x200,
      id: 0,
      mode: 0,
      secret: new Uint8Array(24),
      name: 'fuzz',
    },
    fds: [],
  },
  { message: { type: MessageType.addRegion, index: 0, len: MEMORY }, fds: [good.fd] },
  { message: { type: MessageType.addRegion, index: 1, len: MEMORY }, fds: [good.fd] },
  { message: ring(1, 0), fds: [event.fd] },
  { message: ring(0, RING), fds: [event.fd] },
  { message: { type: MessageType.connect, interfaceName: 'fuzz' }, fds: [] },
];

const serverTalk: readonly Said[] = [
  {
    message: {
      type: MessageType.hello,
      name: 'fuzz',
      minVersion: 0x200,
      maxVersion: 0x200,
      maxRegion: 255,
      maxToClient: 255,
      maxToServer: 255,
      maxLog2RingSize: 14,
    },
    fds: [],
  },
  // INIT, two regions, two rings
  ...new Array<Said>(5).fill({ message: { type: MessageType.ack }, fds: [] }),
  { message: { type: MessageType.connected, interfaceName: 'fuzz' }, fds: [] },
];

function ring(flags: number, offset: number): Message {
  return {
    type: MessageType.addRing,
    flags,
    index: 0,
    region: 0,
    offset,
    log2Size: LOG2,
    privateHeaderLen: 0,
  };
}

/** Says one message, or something like it. @returns whether the socket still takes any */
function say(socket: UnixSocket, { message, fds }: Said, random: Random): boolean {
  let bytes: Uint8Array<ArrayBuffer> = encodeMessage(message);
  let sent = fds;
  switch (random.below(24)) {
    case 0:
      for (let i = 0; i <= random.below(4); i++) bytes[random.below(bytes.length)] = random.below(256);
      break;
    case 1:
      // The numbers are all here.
      bytes[random.below(16)] = random.pick([0, 1, 2, 127, 128, 255]);
      break;
    case 2:
      bytes = bytes.slice(0, random.below(128));
      break;
    case 3:
      bytes = Uint8Array.from({ length: random.below(300) }, () => random.below(256));
      break;
    case 4:
      sent = Array.from({ length: random.below(9) }, () => random.pick(anyFds));
      break;
    case 5:
      return true;
    case 6:
      socket.send(bytes, fds);
      break;
    case 7:
      bytes = encodeMessage({
        type: MessageType.disconnect,
        code: random.below(9),
        reason: `${random.below(3)}`,
      });
      break;
  }
  return socket.send(bytes, sent) >= 0;
}

/** Talks to an endpoint for a while, which polls now and then. */
function converse(socket: UnixSocket, endpoint: MemifEndpoint, talk: readonly Said[], random: Random): void {
  for (const said of talk) {
    if (!say(socket, said, random)) return;
    if (random.below(3) > 0) endpoint.poll();
    const answer = random.below(2) === 0 ? socket.receive() : 0;
    if (typeof answer !== 'number') for (const fd of answer.fds) fd.close();
  }
  for (let i = 0; i < 3; i++) endpoint.poll();
}

/** Polls until `done`. */
function drive(endpoints: readonly MemifEndpoint[], done: () => boolean): void {
  const end = performance.now() + 5000;
  while (!done()) {
    assert.ok(performance.now() < end, endpoints.map(({ state }) => state).join('; '));
    for (const endpoint of endpoints) endpoint.poll();
  }
}

/** Runs one peer after another until the time box is over, and names the seed of one that does harm. */
function fuzz(run: (random: Random) => void): number {
  const end = performance.now() + TIME_BOX_MS;
  let count = 0;
  for (; performance.now() < end; count++) {
    try {
      run(new Random(SEED + count));
    } catch (error) {
      throw new Error(`Failed with BAREWIRE_SEED=${SEED + count}`, { cause: error });
    }
  }
  return count;
}

test('MemifServer outlives clients that lie, and leaks nothing of them', (context) => {
  const path = join(folder, 'server');
  using server = new MemifServer({ path });
  const bytes = Buffer.alloc(MEMORY);
  bytes.writeUInt32LE(RING_COOKIE, 0);
  bytes.writeUInt32LE(RING_COOKIE, RING);
  writeMemory(good, bytes);
  const open = openCount();
  const mapped = mappingCount();
  const count = fuzz((random) => {
    const socket = UnixSocket.connect(path);
    assert.ok(typeof socket !== 'number', `errno ${socket}`);
    using _ = socket;
    server.poll();
    converse(socket, server, clientTalk, random);
    if (random.below(20) === 0) server.disconnect('tired of it');
    socket.close();
    drive([server], () => /^listening/.test(server.state) && openCount() === open);
  });
  const { connects, refusals } = server.statistics();
  context.diagnostic(
    `${count} clients from seed ${SEED}: ${connects} connected; ${JSON.stringify(refusals)}`,
  );
  assert.ok(connects > count / 20, 'many clients are honest');
  assert.ok(Object.keys(refusals).length >= 10, 'many are not, in many ways');
  assert.equal(mappingCount(), mapped);
  using client = new MemifClient({ path, packetMemory: { fd: good, len: MEMORY } });
  drive([server, client], () => server.connection !== undefined && client.connection !== undefined);
});

test('MemifClient outlives servers that lie, and leaks nothing of them', (context) => {
  const path = join(folder, 'client');
  using listener = new UnixListener({ path });
  const open = openCount();
  const mapped = mappingCount();
  let connects = 0;
  const refusals = new Set<string>();
  const count = fuzz((random) => {
    // A new one each time: an old one would rest for 100 ms.
    using client = new MemifClient({
      path,
      packetMemory: { fd: good, len: MEMORY },
      log2RingSize: random.below(6) + 1,
    });
    using socket = listener.accept()!;
    converse(socket, client, serverTalk, random);
    if (random.below(20) === 0) client.disconnect('tired of it');
    socket.close();
    drive([client], () => client.connection === undefined);
    connects += client.statistics().connects;
    for (const reason of Object.keys(client.statistics().refusals)) refusals.add(reason);
    client.close();
    socket.close();
    assert.equal(openCount(), open);
  });
  context.diagnostic(
    `${count} servers from seed ${SEED}: ${connects} connected; ${[...refusals].join(', ')}`,
  );
  assert.ok(connects > count / 20, 'many servers are honest');
  assert.ok(refusals.size >= 4, 'many are not, in many ways');
  assert.equal(mappingCount(), mapped);
});

function writeMemory(fd: Fd, bytes: Uint8Array): void {
  writeSync(fd.fd, bytes, 0, bytes.length, 0);
}
