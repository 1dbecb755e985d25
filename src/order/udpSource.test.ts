import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SystemError, UdpSocket } from '../sys/index.ts';
import { openSource } from './openSource.ts';
import type { PayloadHandler } from './source.ts';
import { UdpSource } from './udpSource.ts';

const ignore: PayloadHandler = { onPayload() {}, onBurstEnd() {} };

/** Polls until `count` payloads were handed over, or too often. */
function pollFor(source: UdpSource, count: number): number {
  let total = 0;
  for (let i = 0; i < 100_000 && total < count; i++) total += source.poll(64);
  return total;
}

describe('UdpSource', () => {
  it('hands over what a socket of the kernel receives, and answers it', () => {
    const seen: number[] = [];
    const handler: PayloadHandler = {
      onPayload(view, offset, len) {
        seen.push(view.getUint8(offset), len);
        const at = source.reply(1);
        source.replyView.setUint8(at, view.getUint8(offset) + 1);
      },
      onBurstEnd() {},
    };
    using source = new UdpSource(handler, { address: '127.0.0.1', port: 0 });
    using socket = new UdpSocket({
      address: '127.0.0.1',
      peer: { address: '127.0.0.1', port: source.udpPort },
    });
    for (const value of [10, 20]) socket.sendView.setUint8(socket.reserve(5), value);
    socket.flush();
    assert.equal(pollFor(source, 2), 2);
    assert.deepEqual(seen, [10, 5, 20, 5]);
    let answers = 0;
    for (let i = 0; i < 100_000 && answers < 2; i++) answers += socket.receive(8);
    assert.equal(answers, 2);
    assert.equal(socket.view.getUint8(socket.offset[0]!), 11);
  });

  it('counts datagrams that are too long, instead of handing over a piece', () => {
    using source = new UdpSource(ignore, { address: '127.0.0.1', port: 0 });
    using socket = new UdpSocket({ peer: { address: '127.0.0.1', port: source.udpPort }, maxLen: 4096 });
    socket.reserve(3000);
    socket.flush();
    pollFor(source, 1);
    assert.equal(source.drops().truncated, 1);
  });

  it('counts what the kernel dropped because the receive buffer was full', () => {
    using source = new UdpSource(ignore, { address: '127.0.0.1', port: 0, receiveBufferLen: 4096 });
    using socket = new UdpSocket({ peer: { address: '127.0.0.1', port: source.udpPort } });
    for (let i = 0; i < 200; i++) {
      socket.reserve(500);
      socket.flush();
    }
    const received = pollFor(source, 200);
    assert.ok(received < 200);
    assert.equal(received + source.drops().receiveBufferFull!, 200);
  });

  it('says which port is taken', () => {
    using first = new UdpSource(ignore, { address: '127.0.0.1', port: 0 });
    assert.throws(
      () => new UdpSource(ignore, { address: '127.0.0.1', port: first.udpPort }),
      (error) =>
        error instanceof SystemError && error.code === 'EADDRINUSE' && /ss -ulnp/.test(error.message),
    );
  });
});

describe('openSource()', () => {
  it('opens kernel sockets by spec, with the port of the spec before that of the caller', () => {
    using free = openSource('udp:127.0.0.1', ignore, { udpPort: 0 });
    assert.ok(free.udpPort > 0);
    assert.equal(free.report.accelerated, false);
    free.close();
    using chosen = openSource(`udp:127.0.0.1:${free.udpPort}`, ignore, { udpPort: 1 });
    assert.equal(chosen.udpPort, free.udpPort);
    using v6 = openSource('udp:[::1]', ignore, { udpPort: 0 });
    assert.equal(v6.report.via, 'udp');
  });

  it('opens the frames of any port', () => {
    using source = openSource('loop:orders', ignore, { udpPort: 9000 });
    assert.equal(source.report.via, 'loop');
    assert.equal(source.poll(1), 0);
  });

  it('refuses a spec that makes no sense', () => {
    assert.throws(() => openSource('udp:1.2.3.4:99999', ignore, { udpPort: 1 }), /want udp:ADDRESS:PORT/);
    assert.throws(() => openSource('udp:?buffer=1', ignore, { udpPort: 1 }), /no option "buffer"/);
    assert.throws(() => openSource('orders', ignore, { udpPort: 1 }), /want SCHEME:TARGET/);
  });
});
