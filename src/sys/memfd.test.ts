import assert from 'node:assert/strict';
import { fstatSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { libc } from '../ffi/index.ts';
import { EventFd } from './eventfd.ts';
import { Fd } from './fd.ts';
import { createSealedMemfd, sealAgainstShrinking } from './memfd.ts';
import { setNonblocking } from './nonblocking.ts';
import { createMemfd } from './region.ts';
import { F_ADD_SEALS, F_GETFL, F_SEAL_SHRINK, MFD_ALLOW_SEALING, O_NONBLOCK } from './uapi/index.ts';

test('createSealedMemfd() makes memory that nobody can shrink, grow or seal further', () => {
  using fd = createSealedMemfd('test', 8192);
  assert.equal(fstatSync(fd.fd).size, 8192);
  assert.equal(libc.ftruncate(fd.fd, 4096), -1);
  assert.equal(libc.ftruncate(fd.fd, 16_384), -1);
  assert.equal(libc.fcntl(fd.fd, F_ADD_SEALS, F_SEAL_SHRINK), -1);
  assert.equal(sealAgainstShrinking(fd.fd), undefined);
});

test('sealAgainstShrinking() seals what can be sealed', () => {
  using fd = new Fd(libc.memfdCreate('open', MFD_ALLOW_SEALING), 'memfd');
  assert.equal(libc.ftruncate(fd.fd, 8192), 0);
  assert.equal(sealAgainstShrinking(fd.fd), undefined);
  assert.equal(libc.ftruncate(fd.fd, 4096), -1);
});

test('sealAgainstShrinking() says why it cannot', () => {
  using closed = createMemfd('not for sealing', 4096);
  assert.equal(sealAgainstShrinking(closed.fd), 'memory not sealed against shrinking');
  using event = EventFd.create('no memory');
  assert.equal(sealAgainstShrinking(event.fd), 'memory is no memfd');
  const folder = mkdtempSync(join(tmpdir(), 'memfd-'));
  using file = new Fd(openSync(join(folder, 'file'), 'w+'), 'file');
  assert.match(sealAgainstShrinking(file.fd) ?? '', /^memory (is no memfd|not sealed against shrinking)$/);
  rmSync(folder, { recursive: true });
});

test('setNonblocking() sets the flag and keeps the others', () => {
  using fd = new Fd(libc.eventfd(0, 0), 'blocking eventfd');
  const before = libc.fcntl(fd.fd, F_GETFL, 0);
  assert.equal(before & O_NONBLOCK, 0);
  setNonblocking(fd.fd);
  setNonblocking(fd.fd);
  assert.equal(libc.fcntl(fd.fd, F_GETFL, 0), before | O_NONBLOCK);
});
