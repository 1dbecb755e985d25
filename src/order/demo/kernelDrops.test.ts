import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { dropsAt, parseDrops } from './kernelDrops.ts';
import { startDgram } from './startDgram.ts';

const TABLE = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            
  291: 0100007F:2328 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 19017 2 0000000000000000 7         
 1291: 02004D0A:2328 00000000:0000 07 00000000:00000A00 00:00000000 00000000     0        0 19018 2 0000000000000000 1234      
`;

test('parseDrops() finds the socket by address and port', () => {
  assert.equal(parseDrops(TABLE, '10.77.0.2', 9000), 1234);
  assert.equal(parseDrops(TABLE, '127.0.0.1', 9000), 7);
  assert.equal(parseDrops(TABLE, '127.0.0.1', 9001), 0);
});

test('dropsAt() is 0 for a thread that is gone', () => {
  assert.equal(dropsAt(2 ** 22 + 1, '127.0.0.1', 9000), 0);
});

test('the node:dgram receiver of the demo tells what the kernel dropped', async () => {
  const receiver = await startDgram('127.0.0.1', 0, undefined);
  const { udpPort } = receiver.report;
  const sender = createSocket('udp4');
  try {
    assert.equal(receiver.read().dropped, 0);
    // More than the event loop takes and than its receive buffer of 4 MiB holds.
    const payload = Buffer.alloc(60_000);
    for (let i = 0; i < 2000 && receiver.read().dropped === 0; i++) {
      for (let j = 0; j < 64; j++) sender.send(payload, udpPort, '127.0.0.1');
      await sleep(0);
    }
    const seen = receiver.read().dropped;
    assert.ok(seen > 0, 'nothing was dropped');
    const { receiveBufferFull } = await receiver.stop();
    assert.ok(receiveBufferFull! >= seen);
  } finally {
    sender.close();
    await once(sender, 'close');
    await receiver[Symbol.asyncDispose]();
  }
});
