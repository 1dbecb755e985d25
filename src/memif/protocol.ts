/** Length of every message on the control channel. [bytes] @source memif.h, memif_msg_t */
export const MESSAGE_LEN = 128;

/** The one version that is spoken. [major << 8 | minor] @source memif.h, MEMIF_VERSION */
export const MEMIF_VERSION: number = 2 << 8;

/** Room for the names of applications and interfaces, with a final zero. [bytes] */
export const NAME_LEN = 32;

/** Room for the secret. [bytes] */
export const SECRET_LEN = 24;

/** What a message is. @source memif.h, memif_msg_type_t */
export const MessageType = {
  ack: 1,
  hello: 2,
  init: 3,
  addRegion: 4,
  addRing: 5,
  connect: 6,
  connected: 7,
  disconnect: 8,
} as const;

/** The only interface mode that is spoken: frames with an Ethernet header. @source memif.h, memif_interface_mode_t */
export const MODE_ETHERNET = 0;

/** `flags` of addRing: from client to server (S2M, slave to master, in older texts). @source memif.h */
export const RING_TO_SERVER = 1;

/** The server's greeting: who it is and what it takes at most. */
export interface Hello {
  readonly type: typeof MessageType.hello;
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
  /** highest index of a region */
  readonly maxRegion: number;
  /** highest index of a ring from server to client */
  readonly maxToClient: number;
  /** highest index of a ring from client to server */
  readonly maxToServer: number;
  readonly maxLog2RingSize: number;
}

/** The client's wish to be connected to interface `id`. */
export interface Init {
  readonly type: typeof MessageType.init;
  readonly version: number;
  readonly id: number;
  readonly mode: number;
  /** as sent, zeros behind it [24 bytes] */
  readonly secret: Uint8Array;
  readonly name: string;
}

/** Memory that the client shares; its descriptor comes with the message. */
export interface AddRegion {
  readonly type: typeof MessageType.addRegion;
  readonly index: number;
  /** inexact from 2^53 on, where nothing is accepted [bytes] */
  readonly len: number;
}

/** A ring in that memory; the eventfd that wakes its reader comes with the message. */
export interface AddRing {
  readonly type: typeof MessageType.addRing;
  readonly flags: number;
  readonly index: number;
  readonly region: number;
  readonly offset: number;
  readonly log2Size: number;
  readonly privateHeaderLen: number;
}

/** Every message there is. */
export type Message =
  | Hello
  | Init
  | AddRegion
  | AddRing
  | { readonly type: typeof MessageType.ack }
  | {
      readonly type: typeof MessageType.connect | typeof MessageType.connected;
      readonly interfaceName: string;
    }
  | { readonly type: typeof MessageType.disconnect; readonly code: number; readonly reason: string };

// The body of each message behind its u16 type, packed, little-endian. Offsets from the message's start [bytes]:
//
//   hello       2 name[32]    34 minVersion  36 maxVersion  38 maxRegion  40 maxToClient  42 maxToServer  44 maxLog2 u8
//   init        2 version     4 id u32       8 mode u8      9 secret[24]  33 name[32]
//   addRegion   2 index       4 size u64
//   addRing     2 flags       4 index        6 region       8 offset u32  12 log2 u8      13 privateHeaderLen
//   connect(ed) 2 name[32]
//   disconnect  2 code u32    6 text[96]
//
// Words without a type are u16.
const BODY = 2;
const REASON_LEN = 96;

/** Writes a message. @returns 128 bytes, zeros behind what it says */
export function encodeMessage(message: Message): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(MESSAGE_LEN);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, message.type, true);
  switch (message.type) {
    case MessageType.ack:
      break;
    case MessageType.hello:
      setText(bytes, BODY, NAME_LEN, message.name);
      view.setUint16(34, message.minVersion, true);
      view.setUint16(36, message.maxVersion, true);
      view.setUint16(38, message.maxRegion, true);
      view.setUint16(40, message.maxToClient, true);
      view.setUint16(42, message.maxToServer, true);
      view.setUint8(44, message.maxLog2RingSize);
      break;
    case MessageType.init:
      view.setUint16(2, message.version, true);
      view.setUint32(4, message.id, true);
      view.setUint8(8, message.mode);
      bytes.set(message.secret.subarray(0, SECRET_LEN), 9);
      setText(bytes, 33, NAME_LEN, message.name);
      break;
    case MessageType.addRegion:
      view.setUint16(2, message.index, true);
      view.setUint32(4, message.len >>> 0, true);
      view.setUint32(8, Math.floor(message.len / 2 ** 32), true);
      break;
    case MessageType.addRing:
      view.setUint16(2, message.flags, true);
      view.setUint16(4, message.index, true);
      view.setUint16(6, message.region, true);
      view.setUint32(8, message.offset, true);
      view.setUint8(12, message.log2Size);
      view.setUint16(13, message.privateHeaderLen, true);
      break;
    case MessageType.connect:
    case MessageType.connected:
      setText(bytes, BODY, NAME_LEN, message.interfaceName);
      break;
    case MessageType.disconnect:
      view.setUint32(2, message.code, true);
      setText(bytes, 6, REASON_LEN, message.reason);
      break;
  }
  return bytes;
}

/**
 * Reads a message; what it says is not judged.
 *
 * @returns undefined when it is not 128 bytes long, or of no type that memif 2.0 has
 */
export function decodeMessage(bytes: Uint8Array): Message | undefined {
  if (bytes.length !== MESSAGE_LEN) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, MESSAGE_LEN);
  const type = view.getUint16(0, true);
  switch (type) {
    case MessageType.ack:
      return { type };
    case MessageType.hello:
      return {
        type,
        name: getText(bytes, BODY, NAME_LEN),
        minVersion: view.getUint16(34, true),
        maxVersion: view.getUint16(36, true),
        maxRegion: view.getUint16(38, true),
        maxToClient: view.getUint16(40, true),
        maxToServer: view.getUint16(42, true),
        maxLog2RingSize: view.getUint8(44),
      };
    case MessageType.init:
      return {
        type,
        version: view.getUint16(2, true),
        id: view.getUint32(4, true),
        mode: view.getUint8(8),
        secret: bytes.slice(9, 9 + SECRET_LEN),
        name: getText(bytes, 33, NAME_LEN),
      };
    case MessageType.addRegion:
      return {
        type,
        index: view.getUint16(2, true),
        len: view.getUint32(8, true) * 2 ** 32 + view.getUint32(4, true),
      };
    case MessageType.addRing:
      return {
        type,
        flags: view.getUint16(2, true),
        index: view.getUint16(4, true),
        region: view.getUint16(6, true),
        offset: view.getUint32(8, true),
        log2Size: view.getUint8(12),
        privateHeaderLen: view.getUint16(13, true),
      };
    case MessageType.connect:
    case MessageType.connected:
      return { type, interfaceName: getText(bytes, BODY, NAME_LEN) };
    case MessageType.disconnect:
      return { type, code: view.getUint32(2, true), reason: getText(bytes, 6, REASON_LEN) };
    default:
      return undefined;
  }
}

/** Puts a secret into the form in which it is sent and compared. @throws RangeError when it is empty or does not fit */
export function encodeSecret(secret: string | Uint8Array): Uint8Array<ArrayBuffer> {
  const text = Buffer.from(secret);
  if (text.length < 1 || text.length > SECRET_LEN || text.includes(0)) {
    throw new RangeError(
      `Cannot use secret: want 1 to ${SECRET_LEN} bytes without zeros, got ${text.length}`,
    );
  }
  const bytes = new Uint8Array(SECRET_LEN);
  bytes.set(text);
  return bytes;
}

/** Writes what has room of a text, and a final zero: others read up to it. */
function setText(bytes: Uint8Array, offset: number, len: number, text: string): void {
  new TextEncoder().encodeInto(text, bytes.subarray(offset, offset + len - 1));
}

/** Reads a text up to its zero; a peer chooses it, so what does not print is left out. */
function getText(bytes: Uint8Array, offset: number, len: number): string {
  const field = bytes.subarray(offset, offset + len);
  const end = field.indexOf(0);
  const text = new TextDecoder().decode(field.subarray(0, end < 0 ? len : end));
  return text.replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '');
}
