import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Burst } from '../../src/core/index.ts';
import type { PacketSocketSpec } from '../../src/packet/index.ts';
import { PacketPort } from '../../src/port/index.ts';
import { leakedFds, withNetns } from '../../src/sys/index.ts';
import { requireRoot } from '../support/requirements.ts';
import { type TestVeth, type TestVethOptions, testVeth, type VethEnd } from '../support/vethPair.ts';

// What the tests of packet ports have in common.

const PATIENCE_MS = 3000;

/** What is kept of a received frame. */
export interface ReceivedFrame {
  readonly bytes: Uint8Array;
  readonly flags: number;
  readonly vlan: number;
}

/** A test on a veth pair of its own, which leaves no descriptor open. */
export function onVeth(
  name: string,
  run: (veth: TestVeth) => void | Promise<void>,
  options: TestVethOptions = {},
): void {
  test(name, async (t) => {
    if (!requireRoot(t)) return;
    const open = leakedFds().length;
    {
      using veth = testVeth(options);
      await run(veth);
    }
    assert.equal(leakedFds().length, open, 'a descriptor was left open');
  });
}

/** Opens a packet port at an end; every owner is proved. */
export function openAt(end: VethEnd, spec: Partial<PacketSocketSpec> = {}): PacketPort {
  return withNetns(
    end.namespace,
    () => new PacketPort({ interface: end.name, rxSize: 64, txSize: 64, debug: true, ...spec }),
  );
}

/** Sends frames, at most as many as there are chunks. */
export function sendFrames(port: PacketPort, frames: readonly Uint8Array[]): void {
  const burst = new Burst(frames.length);
  assert.equal(port.alloc(burst, frames.length), frames.length, 'chunks');
  for (const [i, frame] of frames.entries()) {
    port.regions[0]!.bytes.set(frame, burst.addr[i]!);
    burst.len[i] = frame.length;
  }
  assert.equal(port.tx(burst), frames.length, 'frames accepted');
  port.flush();
}

/** Receives until `enough` says so, or in vain for some seconds; a `quietMs` says how long nothing must come to be done. */
export function receiveUntil(
  port: PacketPort,
  enough: (frames: readonly ReceivedFrame[]) => boolean,
  patienceMs: number = PATIENCE_MS,
): ReceivedFrame[] {
  const frames: ReceivedFrame[] = [];
  const burst = new Burst(16);
  for (const end = performance.now() + patienceMs; !enough(frames) && performance.now() < end; ) {
    port.rx(burst);
    for (let i = 0; i < burst.count; i++) {
      const addr = burst.addr[i]!;
      const bytes = port.regions[0]!.bytes.slice(addr, addr + burst.len[i]!);
      frames.push({ bytes, flags: burst.flags[i]!, vlan: burst.vlan[i]! });
    }
    port.recycle(burst);
  }
  return frames;
}

/** Receives `count` frames. */
export function receiveFrames(port: PacketPort, count: number): ReceivedFrame[] {
  const frames = receiveUntil(port, ({ length }) => length >= count);
  assert.equal(frames.length, count, 'frames received');
  return frames;
}

/** Waits until something holds. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; performance.now() < end; ) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.fail(`waited in vain: ${what}`);
}
