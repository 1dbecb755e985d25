import { constants } from 'node:os';
import { SystemError } from './error.ts';
import { type EthtoolCommand, ethtool } from './ethtool.ts';
import {
  ETH_GSTRING_LEN,
  ETH_SS_FEATURES,
  ETHTOOL_GFEATURES,
  ETHTOOL_GSSET_INFO,
  ETHTOOL_GSTRINGS,
  ETHTOOL_SFEATURES,
  ethtool_get_features_block,
  ethtool_gfeatures,
  ethtool_gstrings,
  ethtool_set_features_block,
  ethtool_sfeatures,
  ethtool_sset_info,
} from './uapi/index.ts';

const decoder = new TextDecoder();

const GSSET_INFO: EthtoolCommand = {
  command: ETHTOOL_GSSET_INFO,
  syscall: 'ioctl(ETHTOOL_GSSET_INFO)',
  action: 'Cannot count features of',
};
const GSTRINGS: EthtoolCommand = {
  command: ETHTOOL_GSTRINGS,
  syscall: 'ioctl(ETHTOOL_GSTRINGS)',
  action: 'Cannot name features of',
};
const GFEATURES: EthtoolCommand = {
  command: ETHTOOL_GFEATURES,
  syscall: 'ioctl(ETHTOOL_GFEATURES)',
  action: 'Cannot read features of',
};
const SFEATURES: EthtoolCommand = {
  command: ETHTOOL_SFEATURES,
  syscall: 'ioctl(ETHTOOL_SFEATURES)',
  action: 'Cannot switch features of',
};

/** Something that an interface does or leaves to the kernel: `tx-checksum-ip-generic`, `rx-gro`, … */
export interface Feature {
  readonly active: boolean;
  /** cannot be changed */
  readonly fixed: boolean;
}

/** Returns the features of an interface, by the names that `ethtool -k` prints. @throws SystemError ENODEV */
export function features(name: string): ReadonlyMap<string, Feature> {
  return readFeatures(name, featureNames(name));
}

/**
 * Switches features on and off, and makes sure that they are.
 *
 * @throws RangeError for a feature that this kernel does not know
 * @throws SystemError EOPNOTSUPP when the device keeps one as it is
 */
export function setFeatures(name: string, wanted: Readonly<Record<string, boolean>>): void {
  const names = featureNames(name);
  const blocks = Math.ceil(names.length / 32);
  const request = new DataView(
    new ArrayBuffer(ethtool_sfeatures.sizeof + blocks * ethtool_set_features_block.sizeof),
  );
  request.setUint32(ethtool_sfeatures.size, blocks, true);
  for (const [feature, on] of Object.entries(wanted)) {
    const bit = names.indexOf(feature);
    if (bit < 0)
      throw new RangeError(`Cannot switch ${feature} of ${name}: this kernel knows no such feature`);
    const block = ethtool_sfeatures.features + (bit >>> 5) * ethtool_set_features_block.sizeof;
    orUint32(request, block + ethtool_set_features_block.valid, 1 << (bit & 31));
    if (on) orUint32(request, block + ethtool_set_features_block.requested, 1 << (bit & 31));
  }
  ethtool(name, SFEATURES, request);

  const now = readFeatures(name, names);
  const refused = Object.entries(wanted).filter(([feature, on]) => now.get(feature)!.active !== on);
  if (refused.length > 0) {
    throw new SystemError(
      `Cannot switch ${refused.map(([feature, on]) => `${feature} ${on ? 'on' : 'off'}`)} of`,
      {
        syscall: 'ioctl(ETHTOOL_SFEATURES)',
        subject: name,
        errno: constants.errno.EOPNOTSUPP,
      },
    );
  }
}

/** The work that a kernel sender or receiver leaves to the interface, in groups. */
export interface Offloads {
  /** checksums of sent frames are finished by the device; on veth that is never, so the receiver sees unfinished ones */
  readonly txChecksum?: boolean;
  /** sent frames may be longer than the mtu, to be cut by the device or just before it */
  readonly segmentation?: boolean;
  /** received segments are merged before the stack sees them; on veth this also makes it poll in bursts */
  readonly gro?: boolean;
}

const groups = [
  ['txChecksum', /^tx-checksum-/],
  ['segmentation', /^tx-.*segmentation$/],
  ['gro', /^rx-gro$/],
] as const;

/** Switches all changeable features of the groups that are named; what is absent stays. @throws SystemError */
export function setOffloads(name: string, offloads: Offloads): void {
  const wanted: Record<string, boolean> = {};
  for (const [feature, { fixed }] of features(name)) {
    const on = groups.map(([group, pattern]) => (pattern.test(feature) ? offloads[group] : undefined));
    const choice = on.find((each) => each !== undefined);
    if (choice !== undefined && !fixed) wanted[feature] = choice;
  }
  setFeatures(name, wanted);
}

/** The kernel's names of all features, by bit; empty where a bit has none. */
function featureNames(name: string): string[] {
  const info = new DataView(new ArrayBuffer(ethtool_sset_info.sizeof + 4));
  info.setUint32(ethtool_sset_info.sset_mask, 1 << ETH_SS_FEATURES, true);
  ethtool(name, GSSET_INFO, info);
  const count = info.getUint32(ethtool_sset_info.data, true);

  const strings = new DataView(new ArrayBuffer(ethtool_gstrings.sizeof + count * ETH_GSTRING_LEN));
  strings.setUint32(ethtool_gstrings.string_set, ETH_SS_FEATURES, true);
  strings.setUint32(ethtool_gstrings.len, count, true);
  ethtool(name, GSTRINGS, strings);
  return Array.from({ length: count }, (_, bit) => {
    const bytes = new Uint8Array(
      strings.buffer,
      ethtool_gstrings.data + bit * ETH_GSTRING_LEN,
      ETH_GSTRING_LEN,
    );
    return decoder.decode(bytes.subarray(0, bytes.indexOf(0)));
  });
}

function readFeatures(name: string, names: readonly string[]): Map<string, Feature> {
  const blocks = Math.ceil(names.length / 32);
  const answer = new DataView(
    new ArrayBuffer(ethtool_gfeatures.sizeof + blocks * ethtool_get_features_block.sizeof),
  );
  answer.setUint32(ethtool_gfeatures.size, blocks, true);
  ethtool(name, GFEATURES, answer);
  const all = new Map<string, Feature>();
  for (const [bit, feature] of names.entries()) {
    const block = ethtool_gfeatures.features + (bit >>> 5) * ethtool_get_features_block.sizeof;
    const has = (field: number): boolean =>
      ((answer.getUint32(block + field, true) >>> (bit & 31)) & 1) === 1;
    const fixed = !has(ethtool_get_features_block.available) || has(ethtool_get_features_block.never_changed);
    if (feature !== '') all.set(feature, { active: has(ethtool_get_features_block.active), fixed });
  }
  return all;
}

function orUint32(view: DataView, offset: number, bits: number): void {
  view.setUint32(offset, view.getUint32(offset, true) | bits, true);
}
