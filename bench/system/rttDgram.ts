import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { ORDER_LEN } from '../../src/order/index.ts';
import { nowNs } from '../../src/sys/index.ts';
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

/** Sends order after order through node:dgram, each from the event that brought the one before. */
export async function callDgram(end: RttEnd, seconds: number): Promise<RttTimes> {
  const socket = await bound(end.address, CALL_PORT);
  socket.connect(ANSWER_PORT, end.peerAddress);
  await once(socket, 'connect');
  const bytes = new Uint8Array(ORDER_LEN);
  const view = new DataView(bytes.buffer);
  const trips = new Trips();
  const untilNs = nowNs() + seconds * 1e9;
  const { promise: over, resolve } = Promise.withResolvers<void>();
  let trip = 0;
  let sentNs = 0;
  const next = (): void => {
    sentNs = nowNs();
    trip++;
    writeTrip(view, 0, trip);
    socket.send(bytes);
  };
  socket.on('message', (message) => {
    const back = new DataView(message.buffer, message.byteOffset, message.byteLength);
    if (readTrip(back, 0, back.byteLength) !== trip) return;
    trips.record(nowNs() - sentNs);
    if (nowNs() < untilNs) next();
    else resolve();
  });
  // The answerer may not be there yet: the order counts as lost and is sent again.
  socket.on('error', () => {});
  const watch = setInterval(() => {
    if (nowNs() - sentNs < LOST_NS) return;
    trips.lost++;
    if (nowNs() < untilNs) next();
    else resolve();
  }, LOST_NS / 1e6);
  next();
  await over;
  clearInterval(watch);
  writeTrip(view, 0, LAST_TRIP);
  await new Promise((sent) => socket.send(bytes, sent));
  await closed(socket);
  return trips.times();
}

/** Sends every order back from the event that brought it. */
export async function answerDgram(end: RttEnd, seconds: number): Promise<void> {
  const socket = await bound(end.address, ANSWER_PORT);
  const { promise: over, resolve } = Promise.withResolvers<void>();
  socket.on('message', (message, from) => {
    const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
    if (readTrip(view, 0, view.byteLength) === LAST_TRIP) resolve();
    else socket.send(message, from.port, from.address);
  });
  const deadline = setTimeout(resolve, (seconds + GRACE_SECONDS) * 1000);
  await over;
  clearTimeout(deadline);
  await closed(socket);
}

async function bound(address: string, port: number): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(port, address);
  await once(socket, 'listening');
  return socket;
}

async function closed(socket: Socket): Promise<void> {
  const over = once(socket, 'close');
  socket.close();
  await over;
}
