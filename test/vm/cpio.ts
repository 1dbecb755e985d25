import { closeSync, openSync, writeSync } from 'node:fs';

/** A file of an archive. */
export interface CpioFile {
  /** from the root, without a leading slash */
  readonly path: string;
  /** type and permissions, as in stat(2) */
  readonly mode: number;
  /** contents; the target of a link; empty for a folder */
  readonly data: Uint8Array;
}

const BLOCK = 4;

/**
 * Writes an archive in the format that Linux unpacks as its first root file system.
 *
 * @source Documentation/driver-api/early-userspace/buffer-format.rst ("newc")
 */
export function writeCpio(path: string, files: Iterable<CpioFile>): void {
  const fd = openSync(path, 'w');
  try {
    let inode = 1;
    for (const file of files) writeFile(fd, file, inode++);
    writeFile(fd, { path: 'TRAILER!!!', mode: 0, data: new Uint8Array(0) }, 0);
  } finally {
    closeSync(fd);
  }
}

/** Magic and 13 fields of 8 hexadecimal digits, the name with a final zero, the data; name and data padded to 4 bytes. */
function writeFile(fd: number, { path, mode, data }: CpioFile, inode: number): void {
  const name = Buffer.from(`${path}\0`);
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  writeAll(fd, Buffer.concat([Buffer.from(header), name, padding(header.length + name.length)]));
  writeAll(fd, data);
  writeAll(fd, padding(data.length));
}

function padding(len: number): Uint8Array {
  return new Uint8Array((BLOCK - (len % BLOCK)) % BLOCK);
}

function writeAll(fd: number, data: Uint8Array): void {
  for (let at = 0; at < data.length; ) at += writeSync(fd, data, at);
}
