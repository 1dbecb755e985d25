import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Burst } from '../../src/core/index.ts';
import { LoopPort, type Port } from '../../src/port/index.ts';
import { nowNs } from '../../src/sys/index.ts';
import { LAST_TRIP } from './rttTrip.ts';
import { TailClient, WARM_TRIP } from './tailClient.ts';
import { TailEcho } from './tailEcho.ts';

const TRIPS = 1000;
const INTERVAL_NS = 10_000;

const ends = {
  sourceMac: '02:00:00:00:00:01',
  destinationMac: '02:00:00:00:00:02',
  sourceAddress: '10.0.0.1',
  destinationAddress: '10.0.0.2',
  sourcePort: 9001,
  destinationPort: 9000,
};

/** A client whose every look at its port first gives the echo behind the wire a turn, unless the wire is slow. */
function pair(): { client: TailClient; echo: TailEcho; port: LoopPort; wire: { isSlow: boolean } } {
  const wire = { isSlow: false };
  const [port, far] = LoopPort.pair({ chunkCount: 4096, ringSize: 2048 });
  const echo = new TailEcho(far, nowNs() + 60e9);
  const rx = port.rx.bind(port);
  port.rx = (burst: Burst): number => {
    if (!wire.isSlow) echo.turn();
    return rx(burst);
  };
  return { client: new TailClient(port, ends), echo, port, wire };
}

/** Calls `before` before the `n`-th call of a method of the port. */
function beforeCall(port: Port, method: 'tx' | 'flush', n: number, before: (burst: Burst) => void): void {
  const original = port[method].bind(port) as (burst: Burst) => number;
  let calls = 0;
  Object.assign(port, {
    [method]: (burst: Burst) => {
      if (++calls === n) before(burst);
      return original(burst);
    },
  });
}

function latenciesAbove(client: TailClient, ns: number): number {
  for (let above = 0; above < TRIPS; above++) {
    if (client.latencies.percentile(100 - (100 * above) / TRIPS) <= ns) return above;
  }
  return TRIPS;
}

test('run() has every trip come back once', () => {
  const { client } = pair();
  assert.equal(client.run(0, TRIPS, INTERVAL_NS), 0);
  assert.equal(client.latencies.count, TRIPS);
  assert.equal(client.latencies.below, 0);
});

test('run() takes as long as its trips are due', () => {
  const { client } = pair();
  const startNs = nowNs();
  client.run(0, TRIPS, INTERVAL_NS);
  assert.ok(nowNs() - startNs >= (TRIPS - 1) * INTERVAL_NS);
});

test('run() counts what held it up against every order that was due in that time', () => {
  const { client, port } = pair();
  beforeCall(port, 'flush', 100, () => {
    const untilNs = nowNs() + 5e6;
    while (nowNs() < untilNs);
  });
  assert.equal(client.run(0, TRIPS, INTERVAL_NS), 0);
  // Of 500 orders that were due in 5 ms, 400 were due more than 1 ms before its end.
  assert.ok(latenciesAbove(client, 1e6) >= 390, `${latenciesAbove(client, 1e6)} orders`);
  assert.ok(client.latencies.max >= 4.9e6);
});

test('run() tells how many orders did not come back', () => {
  const { client, port } = pair();
  beforeCall(port, 'tx', 10, (burst) => {
    port.recycle(burst);
  });
  assert.ok(client.run(0, TRIPS, INTERVAL_NS) >= 1);
  assert.ok(client.latencies.count < TRIPS);
});

test('run() forgets the latencies of the run before, and ignores its stragglers', () => {
  const { client, wire } = pair();
  wire.isSlow = true;
  assert.equal(client.run(0, 10, INTERVAL_NS), 10);
  wire.isSlow = false;
  assert.equal(client.run(10, 20, INTERVAL_NS), 0);
  assert.equal(client.latencies.count, 20);
});

test('tell() is not measured, and ends the echo', () => {
  const { client, echo } = pair();
  client.run(0, 10, INTERVAL_NS);
  client.tell(WARM_TRIP);
  echo.warmUp();
  client.tell(LAST_TRIP);
  echo.run();
  assert.equal(client.latencies.count, 10);
});
