const MAC = /^[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}$/i;

/**
 * Returns the six bytes of a MAC address written `02:00:00:00:00:01`, or with hyphens, in either case.
 *
 * @throws TypeError - anything else
 */
export function parseMac(text: string): Uint8Array {
  if (!MAC.test(text)) {
    throw new TypeError(
      `Cannot parse MAC address "${text}": wanted six hex bytes, such as 02:00:00:00:00:01`,
    );
  }
  return Uint8Array.from(text.split(/[:-]/), (byte) => Number.parseInt(byte, 16));
}

/**
 * Returns six bytes as text: lower case, with colons.
 *
 * @throws TypeError - not six bytes
 */
export function formatMac(bytes: Uint8Array): string {
  if (bytes.length !== 6) throw new TypeError(`Cannot format MAC address of ${bytes.length} bytes: wanted 6`);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
