import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeWire } from './makeWire.ts';

const refuses = (via: string, message: RegExp): void =>
  assert.throws(() => makeWire(via), { name: 'TypeError', message });

test('makeWire() leaves what is of the user alone, and says who takes what arrives there', () => {
  refuses('xdp:eth0', /eth0 is yours .* barewire receive --via xdp:eth0$/);
  refuses('memif:/run/m', /\/run\/m is yours/);
});

test('makeWire() says why a port has no wire, and which have', () => {
  refuses('loop', /both ends of a loop are in one thread/);
  refuses('pcap:orders.pcap', /a capture has no sender/);
  refuses('xpd', /want xdp, packet, tap, memif, udp$/);
});

test('makeWire() gives both ends of a memif the options, and the sender nothing that looks on', () => {
  using wire = makeWire('memif:?ring=2048&capture=a%26b.pcapng');
  const { receiver, sender } = wire;
  assert.match(receiver.via!, /^memif:@[^?]+\?mac=[^&]+&ring=2048&capture=a%26b\.pcapng&role=server$/);
  assert.match(sender.via!, /^memif:@[^?]+\?mac=[^&]+&ring=2048&role=client$/);
  const path = (via: string | undefined): string => via!.split('?')[0]!;
  assert.equal(path(receiver.via), path(sender.via));
  assert.notEqual(receiver.mac, sender.mac);
});

test('makeWire() turns the roles of a memif around when asked', () => {
  using wire = makeWire('memif?role=client');
  assert.match(wire.receiver.via!, /role=client/);
  assert.match(wire.sender.via!, /role=server/);
  refuses('memif:?role=boss', /role must be server or client, got "boss"/);
});

test('makeWire() names no two memifs alike', () => {
  using first = makeWire('memif');
  using second = makeWire('memif');
  assert.notEqual(first.receiver.via, second.receiver.via);
});

test('makeWire() takes any free port of loopback for udp', () => {
  using wire = makeWire('udp:?rcvbuf=65536', { rxRing: 64 });
  assert.equal(wire.receiver.via, 'udp:127.0.0.1?rcvbuf=65536');
  assert.equal(wire.udpPort, 0);
});
