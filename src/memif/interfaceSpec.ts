import { MemifClient } from './client.ts';
import type { MemifEndpoint } from './connection.ts';
import type { PacketMemory } from './packetMemory.ts';
import { MemifServer } from './server.ts';

/** How to open a `MemifInterface`. */
export interface MemifInterfaceSpec {
  /** of the control socket: a file, or `@name` for an abstract address */
  readonly path: string;
  /** the client owns the memory and finds the server; default `client` */
  readonly role?: 'client' | 'server';
  /** number of the interface behind the socket; default 0 */
  readonly id?: number;
  /** at most 24 bytes; both sides must have the same, or none */
  readonly secret?: Uint8Array;
  /** what the peer is told of us; default `barewire` */
  readonly name?: string;
  /** access mode of the server's socket file; default 0o600 */
  readonly fileMode?: number;
  /** as a server, take memory that the client could take away, and kill us by that; see {@link MemifServer}; default false */
  readonly trustPeer?: boolean;
  /** pairs of rings that a client makes, or a server takes at most; default 1 */
  readonly queues?: number;
  /** of a client's rings, a power of two from 2 to 16,384; default 1024 [descriptors] */
  readonly ringSize?: number;
  /** a power of two from 512 to 65,536; default 2048 [bytes] */
  readonly chunkLen?: number;
  /** default: enough for all rings and as many bursts in hand [chunks] */
  readonly chunkCount?: number;
  /** memory of another interface of this thread, so that frames move between both without a copy */
  readonly memory?: PacketMemory;
  /** prove the owner of every chunk at every step; default false */
  readonly debug?: boolean;
}

/** What of a spec has been checked, with its defaults. */
export interface CheckedAddress {
  readonly path: string;
  readonly id: number;
  readonly queues: number;
  readonly log2RingSize: number;
}

/** Opens the control socket in the role that the spec says. @throws RangeError for a bad size; SystemError EADDRINUSE, EACCES */
export function openEndpoint(
  { role = 'client', secret, name = 'barewire', fileMode, trustPeer }: MemifInterfaceSpec,
  { path, id, queues, log2RingSize }: CheckedAddress,
  memory: PacketMemory,
): MemifEndpoint {
  const common = { path, id, name, ...(secret === undefined ? {} : { secret }) };
  if (role === 'client') {
    return new MemifClient({ ...common, queues, log2RingSize, packetMemory: memory });
  }
  // An abstract address has no file: who knows the name may connect.
  const mode = fileMode ?? (path.startsWith('@') ? undefined : 0o600);
  return new MemifServer({
    ...common,
    maxQueues: queues,
    ...(mode === undefined ? {} : { mode }),
    ...(trustPeer === undefined ? {} : { trustPeer }),
  });
}
