/**
 * Returns the Toeplitz hash of `input`: what NICs compute over addresses and ports to choose a nicQueue.
 *
 * Every set bit of the input contributes the 32 bits of the key that begin at its own position, so the hash of two
 * inputs xored is the xor of their hashes.
 *
 * @param key - at least 4 bytes longer than the input; 40 bytes do for every flow of IP
 * @param input - what {@link rssInput} returns
 * @returns the hash [u32]
 * @throws RangeError when the key is too short
 * @source Microsoft, "RSS hashing types" and "Verifying the RSS hash calculation"
 */
export function toeplitzHash(key: Uint8Array, input: Uint8Array): number {
  if (key.length < input.length + 4) {
    throw new RangeError(
      `Cannot hash ${input.length} bytes: the key must have at least ${input.length + 4}, it has ${key.length}`,
    );
  }
  let window = new DataView(key.buffer, key.byteOffset, 4).getInt32(0);
  let hash = 0;
  for (const [i, byte] of input.entries()) {
    const next = key[i + 4]!;
    for (let bit = 7; bit >= 0; bit--) {
      if (((byte >>> bit) & 1) === 1) hash ^= window;
      window = (window << 1) | ((next >>> bit) & 1);
    }
  }
  return hash >>> 0;
}
