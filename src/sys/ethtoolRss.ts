import { SystemError } from './error.ts';
import { type EthtoolCommand, ethtool, optional } from './ethtool.ts';
import {
  ETH_RSS_HASH_CRC32_BIT,
  ETH_RSS_HASH_TOP_BIT,
  ETH_RSS_HASH_XOR_BIT,
  ETHTOOL_GRSSH,
  ETHTOOL_GRXFH,
  ethtool_rxfh,
  ethtool_rxnfc,
  RXH_IP_DST,
  RXH_IP_SRC,
  RXH_L4_B_0_1,
  RXH_L4_B_2_3,
  RXH_XFRM_SYM_OR_XOR,
  RXH_XFRM_SYM_XOR,
  UDP_V4_FLOW,
  UDP_V6_FLOW,
} from './uapi/index.ts';

const GRSSH: EthtoolCommand = {
  command: ETHTOOL_GRSSH,
  syscall: 'ioctl(ETHTOOL_GRSSH)',
  action: 'Cannot read receive hashing of',
};
const GRXFH: EthtoolCommand = {
  command: ETHTOOL_GRXFH,
  syscall: 'ioctl(ETHTOOL_GRXFH)',
  action: 'Cannot read hashed fields of',
};

/** How an interface spreads flows over its nicQueues. */
export interface Rss {
  /** `unknown` when the driver names none, or one of its own */
  readonly hashFunction: 'toeplitz' | 'xor' | 'crc32' | 'unknown';
  /** empty when the driver keeps it to itself */
  readonly key: Uint8Array<ArrayBuffer>;
  /** the nicQueue for each value of hash modulo length; empty when the driver keeps it to itself */
  readonly table: Uint32Array<ArrayBuffer>;
  /** what is done to the fields before hashing, so that both directions of a flow hash alike; undefined for nothing */
  readonly symmetry: 'xor' | 'or-xor' | undefined;
}

/** What is hashed of a UDP datagram; `other` stands for anything beside these, such as a VLAN tag. */
export type HashedField = 'sourceAddress' | 'destinationAddress' | 'sourcePort' | 'destinationPort' | 'other';

/** Returns how an interface spreads flows, or undefined when its driver does not tell. @throws SystemError ENODEV */
export function rss(name: string): Rss | undefined {
  const sizes = new DataView(new ArrayBuffer(ethtool_rxfh.sizeof));
  return optional(() => {
    ethtool(name, GRSSH, sizes);
    const tableCount = sizes.getUint32(ethtool_rxfh.indir_size, true);
    const keyLen = sizes.getUint32(ethtool_rxfh.key_size, true);
    // Some drivers answer, and know neither.
    if (tableCount === 0 && keyLen === 0) return undefined;
    const answer = new DataView(new ArrayBuffer(ethtool_rxfh.rss_config + 4 * tableCount + keyLen));
    answer.setUint32(ethtool_rxfh.indir_size, tableCount, true);
    answer.setUint32(ethtool_rxfh.key_size, keyLen, true);
    ethtool(name, GRSSH, answer);
    return decodeRss(answer);
  });
}

const hashFunctions: Readonly<Record<number, Rss['hashFunction']>> = {
  [1 << ETH_RSS_HASH_TOP_BIT]: 'toeplitz',
  [1 << ETH_RSS_HASH_XOR_BIT]: 'xor',
  [1 << ETH_RSS_HASH_CRC32_BIT]: 'crc32',
};

/** Reads the kernel's answer to ETHTOOL_GRSSH: the table stands behind the struct, and the key behind the table. */
export function decodeRss(answer: DataView<ArrayBuffer>): Rss {
  const tableCount = answer.getUint32(ethtool_rxfh.indir_size, true);
  const keyLen = answer.getUint32(ethtool_rxfh.key_size, true);
  const keyAt = ethtool_rxfh.rss_config + 4 * tableCount;
  const transform = answer.getUint8(ethtool_rxfh.input_xfrm);
  return {
    hashFunction: hashFunctions[answer.getUint8(ethtool_rxfh.hfunc)] ?? 'unknown',
    key: new Uint8Array(answer.buffer.slice(keyAt, keyAt + keyLen)),
    table: Uint32Array.from({ length: tableCount }, (_, i) =>
      answer.getUint32(ethtool_rxfh.rss_config + 4 * i, true),
    ),
    symmetry:
      (transform & RXH_XFRM_SYM_XOR) !== 0
        ? 'xor'
        : (transform & RXH_XFRM_SYM_OR_XOR) !== 0
          ? 'or-xor'
          : undefined,
  };
}

const fieldBits: readonly (readonly [field: HashedField, bit: number])[] = [
  ['sourceAddress', RXH_IP_SRC],
  ['destinationAddress', RXH_IP_DST],
  ['sourcePort', RXH_L4_B_0_1],
  ['destinationPort', RXH_L4_B_2_3],
  ['other', ~(RXH_IP_SRC | RXH_IP_DST | RXH_L4_B_0_1 | RXH_L4_B_2_3)],
];

/**
 * Returns what an interface hashes of UDP over an IP version, or undefined when its driver does not tell.
 *
 * Many drivers hash only the addresses of UDP unless told (`ethtool -N IFACE rx-flow-hash udp4 sdfn`), since fragments
 * have no ports and would land elsewhere.
 *
 * @throws SystemError ENODEV
 */
export function hashedFields(name: string, version: 4 | 6): readonly HashedField[] | undefined {
  const request = new DataView(new ArrayBuffer(ethtool_rxnfc.sizeof));
  request.setUint32(ethtool_rxnfc.flow_type, version === 4 ? UDP_V4_FLOW : UDP_V6_FLOW, true);
  try {
    return optional(() => {
      ethtool(name, GRXFH, request);
      return decodeHashedFields(request.getUint32(ethtool_rxnfc.data, true));
    });
  } catch (error) {
    // What drivers answer that know the command and not this kind of flow.
    if (error instanceof SystemError && error.code === 'EINVAL') return undefined;
    throw error;
  }
}

/** Reads the bits that ETHTOOL_GRXFH answers with. */
export function decodeHashedFields(bits: number): readonly HashedField[] {
  return fieldBits.filter(([, bit]) => (bits & bit) !== 0).map(([field]) => field);
}
