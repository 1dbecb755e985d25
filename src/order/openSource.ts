import { OptionReader, openPort, PORT_SCHEMES, parsePortSpec } from '../port/index.ts';
import { PortSource } from './portSource.ts';
import type { PayloadHandler, Source } from './source.ts';
import { UdpSource } from './udpSource.ts';

/** What a spec string need not say. */
export interface OpenSourceOptions {
  /** UDP destination port; one in the spec goes before it */
  readonly udpPort: number;
  /** refuse to run weaker than asked; default false */
  readonly strict?: boolean;
}

/** What a source can be opened on: a socket, or any port. */
const SCHEMES: readonly string[] = ['udp', ...PORT_SCHEMES];

/**
 * Opens the source of payloads that a spec string names.
 *
 * - `udp:ADDRESS:PORT`, both optional: a kernel UDP socket, the fallback and the control
 * - the spec of any port, such as `xdp:eth0?queue=0` or `loop:x`: frames, of which the datagrams to the port are taken
 *
 * @throws TypeError when the spec makes no sense; what opening the source throws
 */
export function openSource(text: string, handler: PayloadHandler, options: OpenSourceOptions): Source {
  const spec = parsePortSpec(text);
  if (!SCHEMES.includes(spec.scheme)) {
    const known = SCHEMES.map((scheme) => `${scheme}:`).join(', ');
    throw new TypeError(`Cannot open ${text}: no source "${spec.scheme}:"; there are ${known}`);
  }
  if (spec.scheme === 'udp') {
    const reader = new OptionReader(spec);
    const receiveBufferLen = reader.integer('rcvbuf');
    reader.end(['rcvbuf']);
    const { address, port } = readEndpoint(spec.target, text);
    return new UdpSource(handler, {
      address: address ?? '0.0.0.0',
      port: port ?? options.udpPort,
      ...(receiveBufferLen === undefined ? {} : { receiveBufferLen }),
    });
  }
  const { udpPort, strict = false } = options;
  return new PortSource(openPort(text, { flows: [{ port: udpPort }], strict }), handler, { udpPort });
}

/** `10.0.0.1:9000`, `[::1]:9000`, `10.0.0.1`, `:9000` or nothing. */
function readEndpoint(text: string, spec: string): { address: string | undefined; port: number | undefined } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:]*))(?::(\d+))?$/.exec(text);
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  if (match === null || (port !== undefined && port > 65_535)) {
    throw new TypeError(`Cannot open ${spec}: want udp:ADDRESS:PORT, with [brackets] around IPv6`);
  }
  const address = match[1] ?? match[2];
  return { address: address === '' ? undefined : address, port };
}
