import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { addressOf, libc } from '../ffi/index.ts';
import { EventFd } from './eventfd.ts';
import { leakedFds } from './fd.ts';
import { encodeUnixAddress } from './unixAddress.ts';
import { UnixListener } from './unixListener.ts';
import { openUnix, type UnixMessage, UnixSocket } from './unixSocket.ts';

const { EAGAIN, ECONNREFUSED, ENOENT, EPIPE } = constants.errno;
const folder = mkdtempSync(join(tmpdir(), 'unix-'));

after(() => {
  rmSync(folder, { recursive: true });
  assert.deepEqual(leakedFds(), []);
});

let paths = 0;
const nextPath = (): string => join(folder, `${paths++}`);
const openCount = (): number => readdirSync('/proc/self/fd').length;

/** Runs with a connected pair. */
function withPair(run: (a: UnixSocket, b: UnixSocket) => void): void {
  using listener = new UnixListener({ path: nextPath() });
  using a = connect(listener.path);
  using b = listener.accept()!;
  run(a, b);
}

function connect(path: string): UnixSocket {
  const socket = UnixSocket.connect(path);
  assert.ok(typeof socket !== 'number', `errno ${socket}`);
  return socket;
}

function receive(socket: UnixSocket): UnixMessage {
  const message = socket.receive();
  assert.ok(typeof message !== 'number', `errno ${message}`);
  return message;
}

/** Leaves the file of a socket that nobody listens on, as a killed process does. */
function leaveSocketFile(path: string): void {
  using fd = openUnix(path);
  const address = encodeUnixAddress(path);
  assert.equal(libc.bind(fd.fd, address, address.length), 0);
}

test('UnixSocket passes messages whole and in order', () => {
  withPair((a, b) => {
    assert.equal(b.receive(), -EAGAIN);
    assert.equal(a.send(Uint8Array.of(1, 2, 3)), 3);
    assert.equal(a.send(Uint8Array.of(4)), 1);
    assert.deepEqual(receive(b), { bytes: Uint8Array.of(1, 2, 3), fds: [], truncated: false });
    assert.deepEqual(receive(b).bytes, Uint8Array.of(4));
    assert.equal(b.receive(), -EAGAIN);
  });
});

test('UnixSocket passes descriptors of the same open files, close-on-exec', () => {
  withPair((a, b) => {
    using event = EventFd.create('passed');
    using other = EventFd.create('other');
    a.send(Uint8Array.of(1), [event.fd, other.fd]);
    const { fds } = receive(b);
    assert.equal(fds.length, 2);
    EventFd.borrow(fds[0]!.fd).signal();
    assert.equal(event.drain(), 1);
    assert.equal(libc.fcntl(fds[1]!.fd, 1, 0), 1, 'FD_CLOEXEC');
    for (const fd of fds) fd.close();
  });
});

test('UnixSocket takes eight descriptors of a message and tells that there were more', () => {
  withPair((a, b) => {
    using event = EventFd.create('passed');
    const before = openCount();
    assert.throws(() => a.send(Uint8Array.of(1), new Array(9).fill(event.fd)), RangeError);
    sendMany(a.fd, event.fd, 20);
    const { fds, truncated } = receive(b);
    assert.equal(truncated, true);
    assert.equal(fds.length, 8);
    for (const fd of fds) fd.close();
    assert.equal(openCount(), before);
  });
});

test('UnixSocket tells of a message that is too long', () => {
  withPair((a, b) => {
    assert.throws(() => a.send(new Uint8Array(4097)), RangeError);
    assert.equal(libc.sendto(a.fd, new Uint8Array(5000), 5000, 0, null, 0), 5000);
    const { bytes, truncated } = receive(b);
    assert.equal(bytes.length, 4096);
    assert.equal(truncated, true);
  });
});

test('UnixSocket reads what was sent before the end, also when it has not read all itself', () => {
  withPair((a, b) => {
    a.send(Uint8Array.of(1));
    b.send(Uint8Array.of(2));
    using event = EventFd.create('unread');
    a.send(Uint8Array.of(3), [event.fd]);
    b.close();
    b.close();
    assert.deepEqual(receive(a).bytes, Uint8Array.of(2));
    assert.equal(a.receive(), 0);
    assert.equal(a.send(Uint8Array.of(1)), -EPIPE);
    assert.throws(() => b.fd, /closed/);
  });
});

test('UnixSocket closes descriptors that come with a message of no bytes', () => {
  withPair((a, b) => {
    using event = EventFd.create('passed');
    const before = openCount();
    a.send(new Uint8Array(0), [event.fd]);
    assert.equal(b.receive(), 0);
    assert.equal(openCount(), before);
  });
});

test('send() tells of a peer that does not read', () => {
  withPair((a) => {
    let sent = 0;
    while (sent >= 0) sent = a.send(new Uint8Array(4096));
    assert.equal(sent, -EAGAIN);
  });
});

test('peer() names the process at the other end', () => {
  withPair((a, b) => {
    const { pid } = process;
    assert.deepEqual(a.peer(), { pid, uid: process.getuid!(), gid: process.getgid!() });
    assert.equal(b.peer().pid, pid);
  });
});

test('connect() says why nobody takes the call', () => {
  const path = nextPath();
  assert.equal(UnixSocket.connect(path), -ENOENT);
  leaveSocketFile(path);
  assert.equal(UnixSocket.connect(path), -ECONNREFUSED);
  assert.equal(UnixSocket.connect(`@nobody-${process.pid}`), -ECONNREFUSED);
  for (const bad of ['', '@', 'x'.repeat(108), 'a\0b']) {
    assert.throws(() => UnixSocket.connect(bad), RangeError);
  }
});

test('UnixListener takes an abstract name, which needs no file', () => {
  using listener = new UnixListener({ path: `@barewire-${process.pid}` });
  using _a = connect(listener.path);
  using b = listener.accept();
  assert.ok(b);
  assert.equal(listener.accept(), undefined);
  assert.throws(() => new UnixListener({ path: listener.path }), { code: 'EADDRINUSE' });
  assert.throws(() => new UnixListener({ path: '@x', mode: 0o600 }), RangeError);
});

test('UnixListener gives the file its mode whatever the umask', () => {
  for (const mode of [0o600, 0o660, 0o777]) {
    using listener = new UnixListener({ path: nextPath(), mode });
    assert.equal(statSync(listener.path).mode & 0o777, mode);
  }
});

test('UnixListener replaces the file of a socket that nobody listens on', () => {
  const path = nextPath();
  leaveSocketFile(path);
  using listener = new UnixListener({ path });
  using _a = connect(path);
  assert.ok(statSync(path).isSocket());
  listener.close();
  assert.throws(() => statSync(path), { code: 'ENOENT' });
});

test('UnixListener leaves live sockets, of other kinds too, and files that are none', async () => {
  const file = nextPath();
  writeFileSync(file, 'kept');
  assert.throws(() => new UnixListener({ path: file }), { code: 'EADDRINUSE', syscall: 'bind(AF_UNIX)' });
  assert.equal(statSync(file).size, 4);
  const link = nextPath();
  leaveSocketFile(`${link}-target`);
  symlinkSync(`${link}-target`, link);
  assert.throws(() => new UnixListener({ path: link }), { code: 'EADDRINUSE' });

  using live = new UnixListener({ path: nextPath() });
  assert.throws(() => new UnixListener({ path: live.path }), { code: 'EADDRINUSE' });
  using _a = connect(live.path);

  const stream = nextPath();
  const server = createServer().listen(stream);
  await new Promise((resolve) => server.once('listening', resolve));
  assert.throws(() => new UnixListener({ path: stream }), { code: 'EADDRINUSE' });
  await new Promise((resolve) => server.close(resolve));
  assert.throws(() => new UnixListener({ path: join(folder, 'no', 'such') }), { code: 'ENOENT' });
});

test('UnixListener leaves a file that has taken the place of its own', () => {
  const path = nextPath();
  const old = new UnixListener({ path });
  rmSync(path);
  using listener = new UnixListener({ path });
  old.close();
  old.close();
  assert.ok(statSync(path).isSocket());
  chmodSync(path, 0o600);
  listener.close();
  assert.throws(() => statSync(path), { code: 'ENOENT' });
});

/** Sends more descriptors than UnixSocket would. */
function sendMany(socket: number, fd: number, count: number): void {
  const { pieces, message } = rawMessage(count);
  pieces.control.setBigUint64(0, BigInt(16 + 4 * count), true);
  pieces.control.setInt32(8, 1, true);
  pieces.control.setInt32(12, 1, true);
  for (let i = 0; i < count; i++) pieces.control.setInt32(16 + 4 * i, fd, true);
  assert.equal(libc.sendmsg(socket, message, 0), 1);
}

/** A struct msghdr of one byte and room for `count` descriptors; `pieces` keeps alive what it points to. */
function rawMessage(count: number): { message: DataView; pieces: { control: DataView } } {
  const all = new ArrayBuffer(1024);
  const base = BigInt(addressOf(all));
  const message = new DataView(all, 0, 56);
  message.setBigUint64(16, base + 64n, true);
  message.setBigUint64(24, 1n, true);
  message.setBigUint64(32, base + 128n, true);
  message.setBigUint64(40, BigInt(16 + 4 * count), true);
  const iov = new DataView(all, 64, 16);
  iov.setBigUint64(0, base + 512n, true);
  iov.setBigUint64(8, 1n, true);
  return { message, pieces: { control: new DataView(all, 128, 256) } };
}
