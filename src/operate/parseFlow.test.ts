import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFlow } from './parseFlow.ts';

test('parseFlow() reads a port, an IPv4 address and an IPv6 address in brackets', () => {
  assert.deepEqual(parseFlow('udp:9000'), { port: 9000 });
  assert.deepEqual(parseFlow('udp:10.0.0.2:9001'), { port: 9001, address: '10.0.0.2' });
  assert.deepEqual(parseFlow('udp:[fd00::2]:9002'), { port: 9002, address: 'fd00::2' });
});

test('parseFlow() refuses what is no flow', () => {
  for (const text of [
    '',
    'udp',
    'udp:',
    'tcp:80',
    '9000',
    'udp:0x50',
    'udp: 80',
    'udp:fd00::2:9002',
    'udp:[10.0.0.2]:9001',
  ]) {
    assert.throws(() => parseFlow(text), { name: 'TypeError', message: /want udp:PORT, / }, text);
  }
});

test('parseFlow() refuses a port or an address that no datagram is sent to', () => {
  assert.throws(() => parseFlow('udp:0'), { name: 'RangeError', message: /port 0/ });
  assert.throws(() => parseFlow('udp:65536'), { name: 'RangeError', message: /port 65536/ });
  assert.throws(() => parseFlow('udp:10.0.0.256:9000'), /10\.0\.0\.256/);
  for (const any of ['udp:0.0.0.0:9000', 'udp:[::]:9000']) {
    assert.throws(() => parseFlow(any), /for any address, name the port alone/);
  }
  assert.equal(parseFlow('udp:[::ffff:1:2:3]:9000').port, 9000);
  for (const mapped of ['udp:[::ffff:10.0.0.1]:9000', 'udp:[::FFFF:a00:1]:9000']) {
    // An address of this kind stands in programs, and in no packet.
    assert.throws(() => parseFlow(mapped), { name: 'TypeError', message: /name udp:10\.0\.0\.1:9000/ });
  }
});
