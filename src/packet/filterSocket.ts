import { addressOf, libc } from '../ffi/index.ts';
import { check } from '../sys/index.ts';
import { SO_ATTACH_FILTER, SOL_SOCKET, sock_filter, sock_fprog } from '../sys/uapi/index.ts';

/**
 * Has the kernel show a socket only what a classic BPF program keeps.
 *
 * @param program - an array of struct sock_filter
 * @throws SystemError with `subject`
 * @source linux/filter.h; socket(7), SO_ATTACH_FILTER
 */
export function filterSocket(fd: number, program: Uint8Array<ArrayBuffer>, subject: string): void {
  const request = new DataView(new ArrayBuffer(sock_fprog.sizeof));
  request.setUint16(sock_fprog.len, program.length / sock_filter.sizeof, true);
  request.setBigUint64(sock_fprog.filter, BigInt(addressOf(program)), true);
  const result = libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, request, sock_fprog.sizeof);
  check(result, 'Cannot attach filter to socket of', 'setsockopt(SO_ATTACH_FILTER)', subject);
  // NB: the kernel has copied the program by now; until here the garbage collector had to leave it alone.
  program.fill(0);
}
