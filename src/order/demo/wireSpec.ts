import type { PortSpec } from '../../port/index.ts';
import { parsePortSpec } from '../../port/index.ts';
import { withoutWrappers } from '../../port/wrapPort.ts';

/** Takes a spec apart whose colon may be missing: `memif`, `xdp?mode=copy`. @throws TypeError when it is none */
export function parseWireSpec(text: string): PortSpec {
  return parsePortSpec(text.replace(/^([a-z][a-z0-9]*)(?=\?|$)/, '$1:'));
}

/**
 * Writes the spec of one end of a wire.
 *
 * @param ours - options that the wire sets
 * @param theirs - options of the user, which go before ours
 */
export function endSpec(
  { scheme }: PortSpec,
  target: string,
  ours: Readonly<Record<string, string | number>>,
  theirs: ReadonlyMap<string, string>,
): string {
  const options = new Map<string, string | number>([...Object.entries(ours), ...theirs]);
  const text = [...options].map(([key, value]) => `${key}=${String(value).replaceAll(/[%&]/g, encode)}`);
  return `${scheme}:${target}${text.length === 0 ? '' : `?${text.join('&')}`}`;
}

/** The user's options for the end that sends: what looks on, or spoils frames, stands at the receiver alone. */
export function senderOptions(spec: PortSpec): ReadonlyMap<string, string> {
  return withoutWrappers(spec).options;
}

const encode = (character: string): string => encodeURIComponent(character);
