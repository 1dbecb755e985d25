import { isIP } from 'node:net';
import { libc } from '../ffi/index.ts';
import { AF_INET, AF_INET6 } from './uapi/index.ts';

/** An IP address as the kernel wants it. */
export interface IpAddress {
  readonly family: typeof AF_INET | typeof AF_INET6;
  /** 4 or 16 bytes in network order */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Reads an IPv4 or IPv6 address. @throws TypeError when `text` is neither */
export function parseIp(text: string): IpAddress {
  const version = isIP(text);
  if (version === 0) throw new TypeError(`Cannot read IP address: want IPv4 or IPv6, got "${text}"`);
  const family = version === 4 ? AF_INET : AF_INET6;
  const bytes = new Uint8Array(version === 4 ? 4 : 16);
  if (libc.inetPton(family, text, bytes) !== 1) {
    throw new TypeError(`Cannot read IP address: want one without a zone, got "${text}"`);
  }
  return { family, bytes };
}

/** Reads an address with its prefix length, `10.0.0.1/24`. @throws TypeError when it is none */
export function parsePrefix(text: string): IpAddress & { readonly prefixLen: number } {
  const [address = '', prefix = '', ...rest] = text.split('/');
  const ip = parseIp(address);
  const prefixLen = Number(prefix);
  if (rest.length > 0 || !/^\d+$/.test(prefix) || prefixLen > 8 * ip.bytes.length) {
    throw new TypeError(
      `Cannot read prefix: want ADDRESS/LEN of at most ${8 * ip.bytes.length}, got "${text}"`,
    );
  }
  return { ...ip, prefixLen };
}

/** Writes an address of 4 or 16 bytes as text, IPv6 in its canonical short form. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** Reads a hardware address, `02:00:00:00:00:01`. @throws TypeError when `text` is none */
export function parseMac(text: string): Uint8Array<ArrayBuffer> {
  if (!/^[\da-f]{2}(:[\da-f]{2}){5}$/i.test(text)) {
    throw new TypeError(`Cannot read MAC address: want six pairs of hex digits with colons, got "${text}"`);
  }
  return Uint8Array.from(text.split(':'), (pair) => Number.parseInt(pair, 16));
}

/** Writes a hardware address as text. */
export function formatMac(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
