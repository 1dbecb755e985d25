import { addressOf, libc } from '../../src/ffi/index.ts';
import { ORDER_LEN } from '../../src/order/index.ts';
import { nowNs, UdpSocket } from '../../src/sys/index.ts';
import type { RttEnd, RttTimes } from './rttEnds.ts';
import {
  ANSWER_PORT,
  CALL_PORT,
  GRACE_SECONDS,
  LAST_TRIP,
  LOST_NS,
  readTrip,
  Trips,
  writeTrip,
} from './rttTrip.ts';

const MSG_DONTWAIT = 0x40;

/** Sends order after order through a socket of the kernel, polling with recvfrom(2), the leanest call there is. */
export function callSockets(end: RttEnd, seconds: number): RttTimes {
  using socket = new UdpSocket({
    address: end.address,
    port: CALL_PORT,
    peer: { address: end.peerAddress, port: ANSWER_PORT },
  });
  const view = new DataView(new ArrayBuffer(64));
  const ptr = addressOf(view);
  const trips = new Trips();
  const untilNs = nowNs() + seconds * 1e9;
  for (let trip = 1; nowNs() < untilNs; trip++) {
    const sentNs = nowNs();
    writeTrip(view, 0, trip);
    libc.sendtoPtr(socket.fd, ptr, ORDER_LEN, MSG_DONTWAIT, 0, 0);
    let back = false;
    for (let polls = 1; !back; polls++) {
      const len = libc.recvfromPtr(socket.fd, ptr, 64, MSG_DONTWAIT, 0, 0);
      back = len > 0 && readTrip(view, 0, len) === trip;
      if ((polls & 0xff) === 0 && nowNs() - sentNs > LOST_NS) break;
    }
    if (back) trips.record(nowNs() - sentNs);
    else trips.lost++;
  }
  writeTrip(view, 0, LAST_TRIP);
  libc.sendtoPtr(socket.fd, ptr, ORDER_LEN, MSG_DONTWAIT, 0, 0);
  return trips.times();
}

/** Sends every order back, polling likewise. */
export function answerSockets(end: RttEnd, seconds: number): void {
  using socket = new UdpSocket({
    address: end.address,
    port: ANSWER_PORT,
    peer: { address: end.peerAddress, port: CALL_PORT },
  });
  const view = new DataView(new ArrayBuffer(64));
  const ptr = addressOf(view);
  const untilNs = nowNs() + (seconds + GRACE_SECONDS) * 1e9;
  for (let polls = 1; ; polls++) {
    const len = libc.recvfromPtr(socket.fd, ptr, 64, MSG_DONTWAIT, 0, 0);
    if (len > 0) {
      libc.sendtoPtr(socket.fd, ptr, len, MSG_DONTWAIT, 0, 0);
      if (readTrip(view, 0, len) === LAST_TRIP) return;
    }
    if ((polls & 0xfff) === 0 && nowNs() > untilNs) return;
  }
}
