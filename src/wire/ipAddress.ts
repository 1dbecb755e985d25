/**
 * Returns the bytes of an IP address: 4 for IPv4, 16 for IPv6.
 *
 * IPv4 is four decimal numbers without leading zeros (`010` would be eight to some and ten to others). IPv6 is every
 * form of RFC 4291 §2.2, a dotted tail included; a zone (`%eth0`) is refused, since no frame carries one.
 *
 * @throws TypeError - anything else
 * @source RFC 4291 §2.2
 */
export function parseIp(text: string): Uint8Array {
  const bytes = text.includes(':') ? ipv6Bytes(text) : ipv4Bytes(text);
  if (bytes !== undefined) return Uint8Array.from(bytes);
  throw new TypeError(`Cannot parse IP address "${text}": wanted one such as 192.0.2.1 or 2001:db8::1`);
}

/**
 * Returns an IP address as text: dotted decimals for 4 bytes, the canonical form of RFC 5952 for 16.
 *
 * @throws TypeError - neither 4 nor 16 bytes
 * @source RFC 5952 §4, §5
 */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length === 16) return formatIpv6(bytes);
  throw new TypeError(`Cannot format IP address of ${bytes.length} bytes: wanted 4 or 16`);
}

function ipv4Bytes(text: string): number[] | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  return parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
    ? parts.map(Number)
    : undefined;
}

function ipv6Bytes(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves;
  const left = groupBytes(head!, tail === undefined);
  if (tail === undefined) return left?.length === 16 ? left : undefined;
  const right = groupBytes(tail, true);
  if (left === undefined || right === undefined) return undefined;
  // RFC 4291 §2.2 (2): "::" stands for one or more groups of zeros.
  const zeros = 16 - left.length - right.length;
  return zeros < 2 ? undefined : [...left, ...new Array<number>(zeros).fill(0), ...right];
}

/** The bytes of groups separated by colons; only the last may be dotted, and only where the address ends. */
function groupBytes(text: string, endsAddress: boolean): number[] | undefined {
  if (text === '') return [];
  const groups = text.split(':');
  const bytes: number[] = [];
  for (const [index, group] of groups.entries()) {
    if (group.includes('.')) {
      const dotted = endsAddress && index === groups.length - 1 ? ipv4Bytes(group) : undefined;
      if (dotted === undefined) return undefined;
      bytes.push(...dotted);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined;
      const value = Number.parseInt(group, 16);
      bytes.push(value >>> 8, value & 0xff);
    }
  }
  return bytes;
}

function formatIpv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!);
  // RFC 5952 §5: an address known to embed an IPv4 address shows it dotted; the mapped prefix is known to everyone.
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${bytes.subarray(12).join('.')}`;
  }
  const { start, count } = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  // RFC 5952 §4.2.2: "::" must not shorten a single group.
  if (count < 2) return hex.join(':');
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + count).join(':')}`;
}

/** RFC 5952 §4.2.3: the longest run of zero groups, the first of equals. */
function longestZeroRun(groups: readonly number[]): { start: number; count: number } {
  let best = { start: 0, count: 0 };
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (groups[end] === 0) end++;
    if (end - start > best.count) best = { start, count: end - start };
  }
  return best;
}
