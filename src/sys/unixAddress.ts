import { AF_UNIX, sockaddr_un } from './uapi/index.ts';

/** Room for the path and, of a file, its final zero. [bytes] */
const MAX_PATH_LEN = sockaddr_un.sizeof - sockaddr_un.sun_path - 1;

/** Tells whether `path` is in the abstract namespace: no file, gone with its socket, without permissions. */
export function isAbstract(path: string): boolean {
  return path.startsWith('@');
}

/**
 * Encodes the address of an AF_UNIX socket.
 *
 * @param path - of a file, or `@name` in the abstract namespace
 * @returns struct sockaddr_un, as long as the address is
 * @throws RangeError when it is empty or does not fit
 * @source unix(7)
 */
export function encodeUnixAddress(path: string): Uint8Array<ArrayBuffer> {
  const name = Buffer.from(path);
  const hidden = isAbstract(path);
  if (name.length < (hidden ? 2 : 1) || name.length > MAX_PATH_LEN || name.includes(0)) {
    throw new RangeError(
      `Cannot use socket path ${JSON.stringify(path)}: want 1 to ${MAX_PATH_LEN} bytes without zeros, got ${name.length}`,
    );
  }
  // A file's name ends in a zero; an abstract one starts with it, and ends where the address ends.
  const address = new Uint8Array(sockaddr_un.sun_path + name.length + (hidden ? 0 : 1));
  new DataView(address.buffer).setUint16(sockaddr_un.sun_family, AF_UNIX, true);
  address.set(name, sockaddr_un.sun_path);
  if (hidden) address[sockaddr_un.sun_path] = 0;
  return address;
}
