/**
 * What a flow program writes directly before each frame that it redirects, when asked for metadata: 32 bytes.
 *
 * ```
 *  -32               -24               -16        -12        -8    -6    -4         0
 *  +-----------------+-----------------+----------+----------+-----+-----+----------+---
 *  | hardware ns     | kernel ns       | hash     | hash type| TCI | TPID| valid    | frame
 *  +-----------------+-----------------+----------+----------+-----+-----+----------+---
 * ```
 *
 * In the byte order of the machine. What `valid` does not name is 0. The offsets below are from the frame's first byte.
 */
export const METADATA_LEN = 32;

/** u64: when the device received the frame, by the device's clock; 0 is none. [ns] */
export const METADATA_HARDWARE_NS = -32;

/** u64: when the program saw the frame, by CLOCK_MONOTONIC; always there. [ns] */
export const METADATA_KERNEL_NS = -24;

/** u32: the hash that the device chose the nicQueue by; a veth answers with the kernel's own hash of the flow. */
export const METADATA_HASH = -16;

/** u32: which headers the hash is made of, as bits. @source net/xdp.h, enum xdp_rss_hash_type */
export const METADATA_HASH_TYPE = -12;

/** u16: priority, drop eligibility and id of the VLAN tag that the device took off the frame. */
export const METADATA_VLAN_TCI = -8;

/** u16: 0x8100 or 0x88a8. */
export const METADATA_VLAN_PROTOCOL = -6;

/** u32: which of the above are there, as `METADATA_HAS_…` bits. */
export const METADATA_VALID = -4;

/** Bit of {@link METADATA_VALID}: the device has stamped the frame. */
export const METADATA_HAS_HARDWARE_NS = 1;

/** Bit of {@link METADATA_VALID}: the device has told a hash. */
export const METADATA_HAS_HASH = 2;

/** Bit of {@link METADATA_VALID}: the device has taken a VLAN tag off the frame. */
export const METADATA_HAS_VLAN = 4;
