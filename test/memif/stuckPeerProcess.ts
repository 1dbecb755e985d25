import { Burst } from '../../src/core/index.ts';
import { libc } from '../../src/ffi/index.ts';
import { MemifCounter } from '../../src/memif/index.ts';
import { MemifPort } from '../../src/port/index.ts';
import { F_GETFL, F_SETFL, O_NONBLOCK } from '../../src/sys/uapi/index.ts';
import { HandDrivenPeer } from './handDrivenPeer.ts';

// A peer that wants to be woken, and has made the eventfd one whose writers wait for ever. Its own process, since a port
// that falls for it cannot be ended otherwise.

const ROUNDS = 10_000;
const role = process.argv[2] === 'client' ? 'client' : 'server';
const path = `@barewire-stuck-${process.pid}`;
using port = new MemifPort({ path, role });
using peer = new HandDrivenPeer(port, path);
const { toServer, toClient, regions } = peer.connection;
const ring = (role === 'client' ? toServer : toClient)[0]!;

const flags = libc.fcntl(ring.interrupt, F_GETFL, 0);
libc.fcntl(ring.interrupt, F_SETFL, flags & ~O_NONBLOCK);
libc.write(ring.interrupt, new Uint32Array([0xffff_fffe, 0xffff_ffff]), 8);

// Only cursors are moved: the server takes what was sent; the client lends one more buffer, the same every time.
const rings = new DataView(regions[ring.region]!);
const [HEAD, TAIL, DESCRIPTORS] = [ring.offset + 6, ring.offset + 64, ring.offset + 128];
for (let slot = 0; role === 'server' && slot < 1 << ring.log2Size; slot++) {
  rings.setUint16(DESCRIPTORS + slot * 16 + 2, 1, true);
  rings.setUint32(DESCRIPTORS + slot * 16 + 4, 2048, true);
}
const burst = new Burst(1);
let sent = 0;
for (let i = 0; i < ROUNDS; i++) {
  if (role === 'client') rings.setUint16(TAIL, rings.getUint16(HEAD, true), true);
  else rings.setUint16(HEAD, rings.getUint16(TAIL, true) + 1, true);
  port.alloc(burst, 1);
  burst.len[0] = 60;
  const accepted = port.tx(burst);
  sent += accepted;
  burst.dropPrefix(accepted);
  port.recycle(burst);
  port.flush();
}
const signals = port.interface.counters[MemifCounter.signals]!;
console.log(JSON.stringify({ sent, signals, reasons: port.report.reasons }));
