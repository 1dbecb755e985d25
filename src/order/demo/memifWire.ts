import { randomUUID } from 'node:crypto';
import type { PortSpec } from '../../port/index.ts';
import { LOOPBACK_PATH, ORDER_UDP_PORT, type Wire, type WireEnd, type WireOptions } from './wire.ts';
import { endSpec, senderOptions } from './wireSpec.ts';

const OTHER_ROLE = { server: 'client', client: 'server' } as const;

/**
 * Names a control socket for two ends of a memif; whoever opens them makes the rest.
 *
 * The socket is abstract: it has no file that a killed process could leave. The receiver is the server unless the spec
 * gives it the other role.
 *
 * @throws TypeError when the role is none
 */
export function memifWire(spec: PortSpec, _options: WireOptions): Wire {
  const role = spec.options.get('role') ?? 'server';
  if (role !== 'server' && role !== 'client') {
    throw new TypeError(`Cannot make a wire for ${spec.text}: role must be server or client, got "${role}"`);
  }
  const path = `@barewire-${process.pid}-${randomUUID()}`;
  const end = (
    own: 'server' | 'client',
    at: { readonly address: string; readonly mac: string },
    theirs: ReadonlyMap<string, string>,
  ): WireEnd => ({
    via: endSpec(spec, path, { mac: at.mac }, new Map([...theirs, ['role', own]])),
    netns: undefined,
    interface: undefined,
    ...at,
  });
  return {
    receiver: end(role, { address: '10.77.0.2', mac: '02:00:0a:4d:00:02' }, spec.options),
    sender: end(OTHER_ROLE[role], { address: '10.77.0.1', mac: '02:00:0a:4d:00:01' }, senderOptions(spec)),
    udpPort: ORDER_UDP_PORT,
    kernelPath: LOOPBACK_PATH,
    mode: `memif ${role}, in memory that both processes share`,
    [Symbol.dispose]: () => {},
  };
}
