import { bytesAt, checkedField, emptyView } from './bytes.ts';
import { FrameError } from './frameError.ts';
import { formatMac, parseMac } from './mac.ts';

//   0                6                12      14
//  +----------------+----------------+-------+---------
//  | destination    | source         | type  | payload
//  +----------------+----------------+-------+---------
//
// A VLAN tag stands where the type would be, and the type (or a second tag) follows it:
//
//  +-------+-------+      tag protocol: 0x8100 (802.1Q) or 0x88a8 (802.1ad)
//  | tag   | TCI   |      TCI: priority (3 bits), drop eligible (1), VLAN id (12)
//  +-------+-------+
const DESTINATION = 0;
const SOURCE = 6;
const TYPE = 12;
const TYPE_LEN = 2;
const HEADER_LEN = 14;
const OUTER_TCI = 14;
const INNER_TCI = 18;
const VLAN_ID = 0xfff;
const TAG_LEN = 4;
const MAX_TAGS = 2;
const MAX_HEADER_LEN = 22;

/**
 * EtherTypes by name.
 *
 * @source IANA, IEEE 802 Numbers
 */
export const EtherType = {
  ipv4: 0x0800,
  arp: 0x0806,
  vlan: 0x8100,
  ipv6: 0x86dd,
  serviceVlan: 0x88a8,
} as const;

// measured: an imported constant is loaded at every use, one of this module is compiled into the code.
const VLAN: number = EtherType.vlan;
const SERVICE_VLAN: number = EtherType.serviceVlan;

/**
 * Returns the length of an Ethernet header with its VLAN tags; the EtherType is in the last two bytes of it.
 *
 * @param view - memory that holds the frame
 * @param offset - where the frame begins [byte offset in view]
 * @param len - of the frame [bytes]
 * @returns 14, 18 or 22 [bytes], or `ethernetTruncated`, `vlanTruncated`, `tooManyVlanTags` of {@link FrameError}
 * @hot
 * @source IEEE 802.3 §3.1.1; IEEE 802.1Q §9.6
 */
export function ethernetHeaderLen(view: DataView, offset: number, len: number): number {
  if (len < HEADER_LEN) return FrameError.ethernetTruncated;
  let headerLen = HEADER_LEN;
  let type = view.getUint16((offset + TYPE) | 0);
  while (type === VLAN || type === SERVICE_VLAN) {
    if (headerLen === MAX_HEADER_LEN) return FrameError.tooManyVlanTags;
    headerLen = (headerLen + TAG_LEN) | 0;
    if (len < headerLen) return FrameError.vlanTruncated;
    type = view.getUint16((offset + headerLen - TYPE_LEN) | 0);
  }
  return headerLen;
}

/**
 * An Ethernet header with up to two VLAN tags, checked once and then read in place.
 *
 * A flyweight: one object is wrapped around frame after frame, and its fields mean nothing before
 * {@link EthernetHeader.check} has returned 0. Tags of 802.1Q and 802.1ad are taken in any order, and a priority tag
 * (VLAN id 0) is a tag. The older 802.3 form, with a length instead of a type, shows that length as `etherType`.
 */
export class EthernetHeader {
  /** memory that holds the frame */
  view: DataView = emptyView;
  /** where the frame begins [byte offset in view] */
  offset = 0;
  /** header and tags: 14, 18 or 22 [bytes] */
  headerLen: number = HEADER_LEN;

  /**
   * Wraps this object around a frame and checks that its header is whole.
   *
   * @param view - memory that holds the frame
   * @param offset - where the frame begins [byte offset in view]
   * @param len - of the frame [bytes]
   * @returns 0, or `ethernetTruncated`, `vlanTruncated`, `tooManyVlanTags` of {@link FrameError}
   * @hot
   * @source IEEE 802.3 §3.1.1; IEEE 802.1Q §9.6
   */
  check(view: DataView, offset: number, len: number): number {
    const headerLen = ethernetHeaderLen(view, offset, len);
    if (headerLen < 0) return headerLen;
    if (this.view !== view) this.view = view;
    this.offset = offset;
    this.headerLen = headerLen;
    return 0;
  }

  /** Type of what follows the header and its tags, see {@link EtherType}. [u16] */
  get etherType(): number {
    return this.view.getUint16(this.offset + this.headerLen - TYPE_LEN);
  }

  /** VLAN tags: 0, 1 or 2. */
  get vlanCount(): number {
    return (this.headerLen - HEADER_LEN) / TAG_LEN;
  }

  /** VLAN id of the outer tag; -1 without a tag. */
  get vlanId(): number {
    return this.vlanCount > 0 ? this.view.getUint16(this.offset + OUTER_TCI) & VLAN_ID : -1;
  }

  /** VLAN id of the inner tag; -1 without a second tag. */
  get innerVlanId(): number {
    return this.vlanCount > 1 ? this.view.getUint16(this.offset + INNER_TCI) & VLAN_ID : -1;
  }

  /** Destination address as text. */
  get destination(): string {
    return formatMac(bytesAt(this.view, this.offset + DESTINATION, 6));
  }

  /** Source address as text. */
  get source(): string {
    return formatMac(bytesAt(this.view, this.offset + SOURCE, 6));
  }
}

/** A VLAN tag to write. */
export interface VlanTag {
  /** VLAN id [0 to 4,095] */
  readonly id: number;
  /** priority code point [0 to 7, default 0] */
  readonly priority?: number;
  /** whether the frame may be dropped first under congestion [default false] */
  readonly dropEligible?: boolean;
  /** tag protocol; by default 802.1ad for the outer of two tags and 802.1Q for every other */
  readonly etherType?: typeof EtherType.vlan | typeof EtherType.serviceVlan;
}

/** An Ethernet header to write. */
export interface EthernetSpec {
  /** destination address [text or 6 bytes] */
  readonly destination: string | Uint8Array;
  /** source address [text or 6 bytes] */
  readonly source: string | Uint8Array;
  /** type of what follows, see {@link EtherType} */
  readonly etherType: number;
  /** VLAN tags, the outer one first [0 to 2] */
  readonly vlans?: readonly VlanTag[];
}

/**
 * Writes an Ethernet header with its tags and returns its length.
 *
 * @param view - memory to write
 * @param offset - where the frame begins [byte offset in view]
 * @param spec - the header
 * @returns 14, 18 or 22 [bytes]
 * @throws TypeError - an address that is none
 * @throws RangeError - more than two tags, or a field that does not fit
 * @source IEEE 802.3 §3.1.1; IEEE 802.1Q §9.6
 */
export function writeEthernetHeader(view: DataView, offset: number, spec: EthernetSpec): number {
  const tags = spec.vlans ?? [];
  if (tags.length > MAX_TAGS) {
    throw new RangeError(`Cannot write ${tags.length} VLAN tags: wanted at most ${MAX_TAGS}`);
  }
  bytesAt(view, offset + DESTINATION, 6).set(macBytes(spec.destination));
  bytesAt(view, offset + SOURCE, 6).set(macBytes(spec.source));
  let at = offset + TYPE;
  for (const [index, tag] of tags.entries()) {
    const isOuterOfTwo = index === 0 && tags.length === 2;
    view.setUint16(at, tag.etherType ?? (isOuterOfTwo ? EtherType.serviceVlan : EtherType.vlan));
    view.setUint16(at + 2, tci(tag));
    at += TAG_LEN;
  }
  view.setUint16(at, checkedField('EtherType', spec.etherType, 16));
  return at + 2 - offset;
}

function tci(tag: VlanTag): number {
  const priority = checkedField('VLAN priority', tag.priority ?? 0, 3);
  const dropEligible = tag.dropEligible === true ? 1 : 0;
  return (priority << 13) | (dropEligible << 12) | checkedField('VLAN id', tag.id, 12);
}

function macBytes(address: string | Uint8Array): Uint8Array {
  if (typeof address === 'string') return parseMac(address);
  if (address.length === 6) return address;
  throw new TypeError(`Cannot write MAC address of ${address.length} bytes: wanted 6`);
}
