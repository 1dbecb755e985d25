import * as k from '../sys/uapi/index.ts';
import { Assembler } from './assembler.ts';
import { FLOW_SOCKETS } from './flowAssembly.ts';
import type { MapSpec } from './map.ts';
import type { ProgramSpec } from './programSpec.ts';
import { r0, r1, r2, r3 } from './registers.ts';

/** What a redirect program is generated from. */
export interface RedirectProgramSpec {
  /** entries of the map of sockets, {@link FLOW_SOCKETS} */
  readonly sockets: number;
  /** the entry that every frame goes to; default that of its nicQueue's number */
  readonly index?: number;
  /** redirect the first of so many frames and drop the others: 2 drops half; default 1, all are redirected */
  readonly every?: number;
  /** takes frames that lie in several buffers; default false */
  readonly frags?: boolean;
}

const counter: MapSpec = { name: 'frames', type: 'array', keyLen: 4, valueLen: 8, capacity: 1 };

/**
 * Returns an XDP program that redirects frames of every kind to AF_XDP sockets, unread: for tests and benchmarks.
 *
 * NB: it takes the host off the network as far as its sockets reach: ARP and SSH go to them too. Frames pass to the
 * kernel only where the map has no socket. A {@link flowProgramSpec} takes what is wanted.
 *
 * @throws RangeError when `sockets` or `every` is less than 1, or `index` beyond the map
 */
export function redirectProgramSpec(spec: RedirectProgramSpec): ProgramSpec {
  const { sockets, index, every = 1, frags = false } = spec;
  inRange('sockets', sockets, 1, 2 ** 31 - 1);
  inRange('every', every, 1, 2 ** 31 - 1);
  if (index !== undefined) inRange('index', index, 0, sockets - 1);
  const a = new Assembler();
  a.comment('the entry of the map');
  if (index === undefined) a.ldx('u32', r2, r1, k.xdp_md.rx_queue_index);
  else a.mov(r2, index);
  if (every > 1) dropOthers(a, every);
  a.ldMap(r1, FLOW_SOCKETS);
  a.comment('the action when there is no socket');
  a.mov(r3, k.XDP_PASS);
  a.comment('bpf_redirect_map');
  a.call(k.BPF_FUNC_redirect_map);
  a.exit();
  const map: MapSpec = { name: FLOW_SOCKETS, type: 'xskmap', keyLen: 4, valueLen: 4, capacity: sockets };
  return {
    name: 'redirect',
    type: 'xdp',
    assembly: a.assemble(),
    maps: every > 1 ? [map, counter] : [map],
    ...(frags ? { frags } : {}),
  };
}

/** Goes on for the first of `every` frames; leaves r2 alone. */
function dropOthers(a: Assembler, every: number): void {
  a.ldMapValue(r1, counter.name);
  a.mov(r3, 1);
  a.comment('how many came before');
  a.atomic('fetch_add', 'u64', r1, 0, r3);
  a.mod(r3, every);
  a.jeq(r3, 0, 'take');
  a.mov(r0, k.XDP_DROP);
  a.exit();
  a.label('take');
}

function inRange(what: string, value: number, low: number, high: number): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  throw new RangeError(
    `Cannot generate redirect program: ${what} must be an integer from ${low} to ${high}, got ${value}`,
  );
}
