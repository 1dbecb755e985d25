import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { test } from 'node:test';
import { leakedFds } from './fd.ts';
import { PollSet } from './poll.ts';
import { UdpSocket } from './udpSocket.ts';

/** Loopback delivers within the send. */
function send(from: UdpSocket, ...lens: number[]): void {
  for (const [i, len] of lens.entries()) from.sendView.setUint8(from.reserve(len), i + 1);
  assert.equal(from.flush(), lens.length);
}

for (const address of ['127.0.0.1', '::1']) {
  test(`UdpSocket carries a burst and its answers over ${address}`, () => {
    using server = new UdpSocket({ address });
    using client = new UdpSocket({ peer: server.local });
    send(client, 1, 25, 2048);
    assert.equal(new PollSet([server.fd]).wait(1000), 1);
    assert.equal(server.receive(64), 3);
    assert.deepEqual([...server.len.subarray(0, 3)], [1, 25, 2048]);
    assert.deepEqual([...server.cut.subarray(0, 3)], [0, 0, 0]);
    assert.deepEqual(server.sender(2), client.local);
    for (let i = 0; i < 3; i++) {
      assert.equal(server.view.getUint8(server.offset[i]!), i + 1);
      server.sendView.setUint32(server.reply(i, 4), 100 + i);
    }
    assert.equal(server.flush(), 3);
    assert.equal(client.receive(64), 3);
    assert.deepEqual([...client.len.subarray(0, 3)], [4, 4, 4]);
    assert.equal(client.view.getUint32(client.offset[2]!), 102);
    assert.equal(client.receive(64), 0);
  });
}

test('UdpSocket answers each of several senders', () => {
  using server = new UdpSocket({ address: '::' });
  const clients = ['127.0.0.1', '::1'].map(
    (address) => new UdpSocket({ peer: { address, port: server.local.port } }),
  );
  for (const client of clients) send(client, 8);
  assert.equal(server.receive(64), 2);
  assert.deepEqual(
    [server.sender(0).port, server.sender(1).port],
    clients.map((client) => client.local.port),
  );
  for (const i of [1, 0]) server.sendView.setUint8(server.reply(i, 1), i);
  assert.equal(server.flush(), 2);
  for (const [i, client] of clients.entries()) {
    assert.equal(client.receive(64), 1);
    assert.equal(client.view.getUint8(client.offset[0]!), i);
    client.close();
  }
});

test('UdpSocket receives no more than asked and keeps the rest for the next call', () => {
  using server = new UdpSocket({ address: '127.0.0.1', burst: 4 });
  using client = new UdpSocket({ peer: server.local });
  send(client, 1, 2, 3, 4, 5, 6, 7);
  assert.deepEqual([server.receive(2), server.receive(64), server.receive(64)], [2, 4, 1]);
  assert.equal(server.len[0], 7);
});

test('UdpSocket marks a datagram that is longer than maxLen', () => {
  using server = new UdpSocket({ address: '127.0.0.1', maxLen: 32 });
  using client = new UdpSocket({ peer: server.local });
  send(client, 32, 33);
  assert.equal(server.receive(64), 2);
  assert.deepEqual([...server.len.subarray(0, 2)], [32, 32]);
  assert.deepEqual([...server.cut.subarray(0, 2)], [0, 1]);
});

test('UdpSocket hands out no slot beyond its burst or for a datagram beyond maxLen', () => {
  using server = new UdpSocket({ address: '127.0.0.1' });
  using client = new UdpSocket({ peer: server.local, burst: 2, maxLen: 8 });
  assert.equal(client.reserve(9), -1);
  assert.ok(client.reserve(8) >= 0);
  assert.ok(client.reserve(0) >= 0);
  assert.equal(client.reserve(1), -1);
  assert.equal(client.flush(), 2);
  assert.ok(client.reserve(1) >= 0);
});

test('UdpSocket counts what the kernel dropped because the receive buffer was full', () => {
  using server = new UdpSocket({ address: '127.0.0.1', receiveBufferLen: 4096 });
  using client = new UdpSocket({ peer: server.local });
  assert.equal(server.receiveBufferReason, undefined);
  assert.equal(server.receiveBufferLen, 8192);
  send(client, ...new Array<number>(64).fill(1000));
  let received = 0;
  for (let n = server.receive(64); n > 0; n = server.receive(64)) received += n;
  assert.ok(received > 0);
  assert.equal(server.drops(), 64 - received);
  assert.ok(server.drops() > 0);
});

test('UdpSocket reports a refused peer as a negative errno and goes on', () => {
  const gone = new UdpSocket({ address: '127.0.0.1' });
  const peer = gone.local;
  gone.close();
  using client = new UdpSocket({ peer });
  client.reserve(1);
  assert.equal(client.flush(), 1);
  assert.equal(new PollSet([client.fd]).wait(1000), 1);
  assert.equal(client.receive(64), -constants.errno.ECONNREFUSED);
  assert.equal(client.receive(64), 0);
});

test('UdpSocket names the port that is taken and leaves no descriptor behind', () => {
  using server = new UdpSocket({ address: '127.0.0.1' });
  const before = leakedFds().length;
  const { port } = server.local;
  assert.throws(
    () => new UdpSocket({ address: '127.0.0.1', port }),
    (error: Error) =>
      error.message.startsWith(`Cannot bind UDP socket to 127.0.0.1 port ${port}: EADDRINUSE. Another`),
  );
  assert.throws(() => new UdpSocket({ address: '127.0.0.1', port: 65536 }), RangeError);
  assert.throws(() => new UdpSocket({ address: 'localhost' }), TypeError);
  assert.equal(leakedFds().length, before);
});

test('UdpSocket opens and closes 1,000 times without a descriptor or mapping left', () => {
  const count = (): number[] => [readdirSync('/proc/self/fd').length, leakedFds().length];
  const cycle = (): void => new UdpSocket({ address: '127.0.0.1' }).close();
  cycle();
  const before = count();
  const mappings = mappedLen();
  for (let i = 0; i < 1000; i++) cycle();
  assert.deepEqual(count(), before);
  // A socket maps 280 KiB: a thousand that stayed would be 280 MiB; V8's own heap may grow by less.
  assert.ok(mappedLen() - mappings < 64 << 20);
});

/** Address space of the process. [bytes] */
function mappedLen(): number {
  return Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[0]) * 4096;
}

test('a closed UdpSocket returns -EBADF and touches no socket that has its number now', () => {
  const socket = new UdpSocket({ address: '127.0.0.1', peer: { address: '127.0.0.1', port: 9 } });
  const { fd } = socket;
  socket.reserve(1);
  socket.close();
  socket.close();
  using next = new UdpSocket({ address: '127.0.0.1' });
  assert.equal(next.fd, fd, 'the kernel hands out the lowest free number');
  assert.equal(socket.receive(64), -constants.errno.EBADF);
  assert.equal(socket.flush(), -constants.errno.EBADF);
});
