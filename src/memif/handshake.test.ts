import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fd } from '../sys/index.ts';
import { ClientHandshake } from './clientHandshake.ts';
import type { HandshakeStep } from './handshake.ts';
import type { RegionKeeper } from './peerMemory.ts';
import { type AddRing, encodeSecret, type Hello, type Init, type Message, MessageType } from './protocol.ts';
import { RING_COOKIE, ringLen } from './ring.ts';
import { ServerHandshake, type ServerHandshakeSpec } from './serverHandshake.ts';

/** Takes any memory as zeros of the length it is said to have; descriptor numbers mean nothing. */
class FakeMemory implements RegionKeeper {
  readonly regions: ArrayBuffer[] = [];
  readonly interrupts: Fd[] = [];
  problem: string | undefined;

  addRegion(_fd: Fd, len: number): string | undefined {
    if (this.problem === undefined) this.regions.push(new ArrayBuffer(len));
    return this.problem;
  }

  addInterrupt(fd: Fd): string | undefined {
    if (this.problem === undefined) this.interrupts.push(fd);
    return this.problem;
  }
}

const spec: ServerHandshakeSpec = {
  application: 'server app',
  interfaceName: 'west',
  id: 7,
  secret: undefined,
  maxQueues: 2,
  maxRegions: 2,
};

const LOG2 = 3;
const RING = ringLen(LOG2);

const init: Init = {
  type: MessageType.init,
  version: 0x200,
  id: 7,
  mode: 0,
  secret: new Uint8Array(24),
  name: 'client app',
};
const region = (index = 0, len = 4 * RING): Message => ({ type: MessageType.addRegion, index, len });
const ring = (over: Partial<AddRing> = {}): Message => ({
  type: MessageType.addRing,
  flags: 1,
  index: 0,
  region: 0,
  offset: 0,
  log2Size: LOG2,
  privateHeaderLen: 0,
  ...over,
});
const connect: Message = { type: MessageType.connect, interfaceName: 'east' };

/** A descriptor that is none: the handshake passes it on and looks at its number. */
const fakeFd = (number: number): Fd => ({ fd: number }) as Fd;

/** Gives messages to a fresh server, with the one descriptor that each needs. Returns the last step. */
function tell(
  messages: readonly Message[],
  options: { spec?: Partial<ServerHandshakeSpec>; busy?: boolean } = {},
): HandshakeStep {
  const memory = new FakeMemory();
  const server = new ServerHandshake({ ...spec, ...options.spec }, memory, () => options.busy ?? false);
  return talk(server, memory, messages);
}

function talk(server: ServerHandshake, memory: FakeMemory, messages: readonly Message[]): HandshakeStep {
  let step: HandshakeStep = {};
  for (const [i, message] of messages.entries()) {
    assert.equal(step.refusal, undefined, `message ${i - 1}`);
    const needs = message.type === MessageType.addRegion || message.type === MessageType.addRing;
    step = server.receive(message, needs ? [fakeFd(100 + i)] : []);
    for (const buffer of memory.regions) fillCookies(buffer);
  }
  return step;
}

function fillCookies(buffer: ArrayBuffer): void {
  for (let at = 0; at + RING <= buffer.byteLength; at += RING)
    new DataView(buffer).setUint32(at, RING_COOKIE, true);
}

test('ServerHandshake greets with what it takes at most', () => {
  const { opening } = new ServerHandshake(spec, new FakeMemory(), () => false);
  assert.deepEqual(opening.message, {
    type: MessageType.hello,
    name: 'server app',
    minVersion: 0x200,
    maxVersion: 0x200,
    maxRegion: 1,
    maxToClient: 1,
    maxToServer: 1,
    maxLog2RingSize: 14,
  });
});

test('ServerHandshake acknowledges each message and comes to a connection', () => {
  const memory = new FakeMemory();
  const server = new ServerHandshake(spec, memory, () => false);
  for (const message of [init, region(), ring(), ring({ flags: 0, offset: RING })]) {
    assert.equal(talk(server, memory, [message]).send?.message.type, MessageType.ack);
  }
  const { send, connection } = server.receive(connect, []);
  assert.deepEqual(send?.message, { type: MessageType.connected, interfaceName: 'west' });
  assert.deepEqual(connection, {
    remoteName: 'client app',
    remoteInterface: 'east',
    regions: memory.regions,
    toServer: [{ region: 0, offset: 0, log2Size: LOG2, interrupt: 100 }],
    toClient: [{ region: 0, offset: RING, log2Size: LOG2, interrupt: 100 }],
  });
});

const rings = [ring(), ring({ flags: 0, offset: RING })];
const refused: readonly [what: string, refusal: string, messages: readonly Message[]][] = [
  ['anything before INIT', 'unexpected message', [{ type: MessageType.ack }]],
  ['a region before INIT', 'unexpected message', [region()]],
  ['a second INIT', 'unexpected message', [init, init]],
  [
    'HELLO of a client',
    'unexpected message',
    [init, { ...new ServerHandshake(spec, new FakeMemory(), () => false).opening.message }],
  ],
  ['another version', 'unsupported version', [{ ...init, version: 0x100 }]],
  ['another id', 'unknown id', [{ ...init, id: 8 }]],
  ['IP mode', 'only ethernet mode is supported', [{ ...init, mode: 1 }]],
  ['a region out of order', 'region out of order', [init, region(1)]],
  ['a region twice', 'region out of order', [init, region(), region()]],
  ['a region too many', 'too many regions', [init, region(), region(1), region(2)]],
  ['a ring in no region', 'ring out of bounds', [init, ring()]],
  ['a ring that ends behind its region', 'ring out of bounds', [init, region(0, RING - 1), ring()]],
  [
    'a ring that starts behind its region',
    'ring out of bounds',
    [init, region(), ring({ offset: 0xffff_fffc })],
  ],
  ['a ring not aligned', 'ring not aligned', [init, region(), ring({ offset: 2 })]],
  ['a ring too large', 'ring too large', [init, region(0, 2 ** 22), ring({ log2Size: 15 })]],
  ['a ring out of order', 'ring out of order', [init, region(), ring({ index: 1 })]],
  ['a ring twice', 'ring out of order', [init, region(), ring(), ring()]],
  ['a ring too many', 'too many rings', [init, region(), ring(), ring({ index: 1 }), ring({ index: 2 })]],
  [
    'a ring with private headers',
    'private headers are not supported',
    [init, region(), ring({ privateHeaderLen: 8 })],
  ],
  ['no rings', 'missing ring', [init, region(), connect]],
  ['rings of one direction', 'missing ring', [init, region(), ring(), connect]],
  [
    'a ring too many in one direction',
    'missing ring',
    [init, region(), ...rings, ring({ index: 1, offset: 2 * RING }), connect],
  ],
  ['a ring without a cookie', 'wrong cookie', [init, region(), ring({ offset: 64 }), rings[1]!, connect]],
];
for (const [what, refusal, messages] of refused) {
  test(`ServerHandshake refuses ${what}`, () => {
    assert.equal(tell(messages).refusal, refusal);
  });
}

test('ServerHandshake takes a ring that ends where its region ends', () => {
  assert.equal(tell([init, region(0, RING), ring()]).refusal, undefined);
});

test('ServerHandshake refuses a wrong secret, and takes any when it has none', () => {
  const secret = encodeSecret('open');
  assert.equal(tell([{ ...init, secret }], { spec: { secret } }).refusal, undefined);
  for (const other of ['Open', 'ope', 'openn']) {
    const message = { ...init, secret: encodeSecret(other) };
    assert.equal(tell([message], { spec: { secret } }).refusal, 'wrong secret');
    assert.equal(tell([message]).refusal, undefined);
  }
  assert.equal(tell([init], { spec: { secret } }).refusal, 'wrong secret');
});

test('ServerHandshake refuses a second client, but tells nobody so who has no secret', () => {
  assert.equal(tell([init], { busy: true }).refusal, 'already connected');
  assert.equal(tell([init], { busy: true, spec: { secret: encodeSecret('s') } }).refusal, 'wrong secret');
});

test('ServerHandshake refuses missing and extra descriptors', () => {
  const server = (): ServerHandshake => new ServerHandshake(spec, new FakeMemory(), () => false);
  assert.equal(server().receive(init, [fakeFd(5)]).refusal, 'unexpected descriptor');
  const two = server();
  two.receive(init, []);
  assert.equal(two.receive(region(), []).refusal, 'missing descriptor');
  assert.equal(two.receive(region(), [fakeFd(5), fakeFd(6)]).refusal, 'unexpected descriptor');
});

test('ServerHandshake refuses what its memory refuses', () => {
  const memory = new FakeMemory();
  const server = new ServerHandshake(spec, memory, () => false);
  talk(server, memory, [init, region()]);
  memory.problem = 'not that';
  assert.equal(server.receive(region(1), [fakeFd(5)]).refusal, 'not that');
  assert.equal(server.receive(ring(), [fakeFd(5)]).refusal, 'not that');
});

const hello: Hello = {
  type: MessageType.hello,
  name: 'server app',
  minVersion: 0x200,
  maxVersion: 0x200,
  maxRegion: 255,
  maxToClient: 255,
  maxToServer: 255,
  maxLog2RingSize: 14,
};

/** A client of three queues that lends what it is asked for; `asked` is what that was. */
function makeClient(): { client: ClientHandshake; asked: number[] } {
  const asked: number[] = [];
  const client = new ClientHandshake(
    {
      application: 'app',
      interfaceName: 'east',
      id: 7,
      secret: encodeSecret('s'),
      queues: 3,
      log2RingSize: 10,
    },
    (queues, log2Size) => {
      asked.push(queues, log2Size);
      const places = Array.from({ length: 2 * queues }, (_, i) => ({
        region: 0,
        offset: i * 64,
        log2Size,
        interrupt: 50 + i,
      }));
      return {
        regions: [
          { fd: 40, len: 1000 },
          { fd: 41, len: 2000 },
        ],
        rings: new ArrayBuffer(8),
        toServer: places.slice(0, queues),
        toClient: places.slice(queues),
      };
    },
  );
  return { client, asked };
}

test('ClientHandshake says one message for each ACK, then waits for CONNECTED', () => {
  const { client, asked } = makeClient();
  const said = [client.receive({ ...hello, maxToClient: 1, maxLog2RingSize: 8 }, []).send!];
  assert.deepEqual(asked, [2, 8], 'the smaller of both wishes');
  for (let i = 0; i < 7; i++) said.push(client.receive({ type: MessageType.ack }, []).send!);
  assert.deepEqual(
    said.map(({ message, fd }) => [message.type, 'index' in message ? message.index : undefined, fd]),
    [
      [MessageType.init, undefined, undefined],
      [MessageType.addRegion, 0, 40],
      [MessageType.addRegion, 1, 41],
      [MessageType.addRing, 0, 50],
      [MessageType.addRing, 1, 51],
      [MessageType.addRing, 0, 52],
      [MessageType.addRing, 1, 53],
      [MessageType.connect, undefined, undefined],
    ],
  );
  assert.deepEqual(
    said.flatMap(({ message }) => ('flags' in message ? [message.flags] : [])),
    [1, 1, 0, 0],
  );
  const { connection } = client.receive({ type: MessageType.connected, interfaceName: 'west' }, []);
  assert.equal(connection?.remoteInterface, 'west');
  assert.equal(connection.remoteName, 'server app');
  assert.equal(connection.toServer.length, 2);
});

test('ClientHandshake refuses other versions, too few regions, and what comes out of order', () => {
  assert.equal(
    makeClient().client.receive({ ...hello, minVersion: 0x201 }, []).refusal,
    'unsupported version',
  );
  assert.equal(
    makeClient().client.receive({ ...hello, maxVersion: 0x1ff }, []).refusal,
    'unsupported version',
  );
  assert.equal(
    makeClient().client.receive({ ...hello, maxRegion: 0 }, []).refusal,
    'too many regions for the server',
  );
  assert.equal(makeClient().client.receive({ type: MessageType.ack }, []).refusal, 'unexpected message');
  assert.equal(makeClient().client.receive(hello, [fakeFd(3)]).refusal, 'unexpected descriptor');
  for (const message of [hello, { type: MessageType.connected, interfaceName: 'west' } as const]) {
    const { client } = makeClient();
    client.receive(hello, []);
    assert.equal(client.receive(message, []).refusal, 'unexpected message');
  }
});
