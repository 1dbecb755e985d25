import { readFileSync } from 'node:fs';
import { parseMac } from '../wire/index.ts';
import { MemifPort, type MemifPortSpec } from './memifPort.ts';
import { OptionReader, type PortSpec } from './portSpec.ts';

/** Every option of a `memif:` spec, in the order in which an unknown one is answered. */
const OPTIONS = [
  'role',
  'id',
  'secretFile',
  'name',
  'mode',
  'trust',
  'queues',
  'ring',
  'chunk',
  'chunks',
  'mtu',
  'mac',
  'debug',
];

/**
 * Opens `memif:PATH?…`; docs/memif.md says what the options mean.
 *
 * @throws TypeError for an option that nobody knows; SystemError when the secret cannot be read or the socket opened
 */
export function openMemifPort(
  spec: PortSpec,
  { memory }: { readonly memory?: MemifPortSpec['memory'] } = {},
): MemifPort {
  if (spec.target === '') {
    throw new TypeError(`Cannot open ${spec.text}: name a socket, such as memif:/run/m or memif:@name`);
  }
  const reader = new OptionReader(spec);
  const secretFile = reader.text('secretFile');
  const mac = reader.text('mac');
  const chosen: { [Key in keyof MemifPortSpec]?: MemifPortSpec[Key] | undefined } = {
    role: reader.choice('role', ['client', 'server']),
    id: reader.integer('id'),
    name: reader.text('name'),
    fileMode: fileMode(spec, reader.text('mode')),
    trustPeer: reader.flag('trust'),
    queues: reader.integer('queues'),
    ringSize: reader.integer('ring'),
    chunkLen: reader.integer('chunk'),
    chunkCount: reader.integer('chunks'),
    mtu: reader.integer('mtu'),
    mac: mac === undefined ? undefined : parseMac(mac),
    debug: reader.flag('debug'),
    secret: secretFile === undefined ? undefined : readSecret(spec, secretFile),
    memory,
  };
  reader.end(OPTIONS);
  const given = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined));
  return new MemifPort({ ...(given as Partial<MemifPortSpec>), path: spec.target }, spec.text);
}

function fileMode(spec: PortSpec, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^0?[0-7]{3}$/.test(text)) {
    throw new TypeError(`Cannot open ${spec.text}: mode must be octal such as 0660, got "${text}"`);
  }
  return Number.parseInt(text, 8);
}

/** Longest secret of the protocol. [bytes] */
const SECRET_LEN = 24;

/** Reads a secret; the newline that editors leave at its end is not part of it. */
function readSecret(spec: PortSpec, path: string): Uint8Array {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new Error(`Cannot open ${spec.text}: its secret cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const end = bytes.at(-1) === 0x0a ? bytes.length - 1 : bytes.length;
  if (end < 1 || end > SECRET_LEN) {
    throw new RangeError(
      `Cannot open ${spec.text}: the secret in ${path} must be 1 to ${SECRET_LEN} bytes, got ${end}`,
    );
  }
  return bytes.subarray(0, end);
}
