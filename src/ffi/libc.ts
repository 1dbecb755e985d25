/**
 * The C library's functions that Barewire calls, each bound once with its exact signature.
 *
 * Pointers are numbers (user space ends below 2^47, so a double holds every address exactly); memory that a call
 * reads or writes is passed as a typed array, ArrayBuffer or DataView, which koffi hands over without a copy.
 * A function returns what C returns: -1 on failure, and {@link errno} says why, valid until the next call.
 */
import koffi from 'koffi';

/** Memory handed to a call in place; `null` is the null pointer. */
export type Memory = ArrayBufferView | ArrayBuffer | null;

const libc = koffi.load(null);

/** Returns `errno` as the last call of this thread left it. [positive errno] */
export const errno = (): number => koffi.errno();

/** Tells whether the C library in this process has `symbol`. */
export function hasSymbol(symbol: string): boolean {
  try {
    libc.symbol(symbol);
    return true;
  } catch {
    return false;
  }
}

/** @source mmap(2); returns the mapping's ptr, or -1 */
export const mmap: (
  ptr: number,
  len: number,
  prot: number,
  flags: number,
  fd: number,
  offset: number,
) => number = libc.func(
  'intptr_t mmap(intptr_t ptr, size_t len, int prot, int flags, int fd, int64_t offset)',
);

/** @source munmap(2) */
export const munmap: (ptr: number, len: number) => number = libc.func('int munmap(intptr_t ptr, size_t len)');

/** @source mlock(2) */
export const mlock: (ptr: number, len: number) => number = libc.func('int mlock(intptr_t ptr, size_t len)');

/** @source madvise(2) */
export const madvise: (ptr: number, len: number, advice: number) => number = libc.func(
  'int madvise(intptr_t ptr, size_t len, int advice)',
);

/** @source memfd_create(2) */
export const memfdCreate: (name: string, flags: number) => number = libc.func(
  'int memfd_create(str name, uint flags)',
);

/** @source ftruncate(2) */
export const ftruncate: (fd: number, len: number) => number = libc.func('int ftruncate(int fd, int64_t len)');

/** @source open(2) */
export const open: (path: string, flags: number, mode: number) => number = libc.func(
  'int open(str path, int flags, int mode)',
);

/** @source close(2) */
export const close: (fd: number) => number = libc.func('int close(int fd)');

/** @source read(2) */
export const read: (fd: number, memory: Memory, len: number) => number = libc.func(
  'intptr_t read(int fd, void *memory, size_t len)',
);

/** @source write(2) */
export const write: (fd: number, memory: Memory, len: number) => number = libc.func(
  'intptr_t write(int fd, void *memory, size_t len)',
);

/** `read(2)` into native memory, the form for hot code. @hot */
export const readPtr: (fd: number, ptr: number, len: number) => number = libc.func(
  'intptr_t read(int fd, intptr_t ptr, size_t len)',
);

/** `write(2)` from native memory, the form for hot code. @hot */
export const writePtr: (fd: number, ptr: number, len: number) => number = libc.func(
  'intptr_t write(int fd, intptr_t ptr, size_t len)',
);

/** @source fcntl(2), the commands that take an int */
export const fcntl: (fd: number, command: number, argument: number) => number = libc.func(
  'int fcntl(int fd, int command, intptr_t argument)',
);

/** @source ioctl(2), the requests that take a pointer */
export const ioctl: (fd: number, request: number, memory: Memory) => number = libc.func(
  'int ioctl(int fd, ulong request, void *memory)',
);

/** @source socket(2) */
export const socket: (family: number, type: number, protocol: number) => number = libc.func(
  'int socket(int family, int type, int protocol)',
);

/** @source bind(2) */
export const bind: (fd: number, address: Memory, len: number) => number = libc.func(
  'int bind(int fd, void *address, uint len)',
);

/** @source connect(2) */
export const connect: (fd: number, address: Memory, len: number) => number = libc.func(
  'int connect(int fd, void *address, uint len)',
);

/** @source getsockname(2); `len` is in and out [one uint32] */
export const getsockname: (fd: number, address: Memory, len: Memory) => number = libc.func(
  'int getsockname(int fd, void *address, void *len)',
);

/** @source setsockopt(2) */
export const setsockopt: (fd: number, level: number, name: number, value: Memory, len: number) => number =
  libc.func('int setsockopt(int fd, int level, int name, void *value, uint len)');

/** @source getsockopt(2); `len` is in and out [one uint32] */
export const getsockopt: (fd: number, level: number, name: number, value: Memory, len: Memory) => number =
  libc.func('int getsockopt(int fd, int level, int name, void *value, void *len)');

/** @source sendto(2) */
export const sendto: (
  fd: number,
  memory: Memory,
  len: number,
  flags: number,
  address: Memory,
  addressLen: number,
) => number = libc.func(
  'intptr_t sendto(int fd, void *memory, size_t len, int flags, void *address, uint addressLen)',
);

/** `sendto(2)` from native memory: no typed array is looked up, the form for hot code. @hot */
export const sendtoPtr: (
  fd: number,
  ptr: number,
  len: number,
  flags: number,
  addressPtr: number,
  addressLen: number,
) => number = libc.func(
  'intptr_t sendto(int fd, intptr_t ptr, size_t len, int flags, intptr_t address, uint addressLen)',
);

/** `recvfrom(2)` into native memory, the form for hot code. @hot */
export const recvfromPtr: (
  fd: number,
  ptr: number,
  len: number,
  flags: number,
  addressPtr: number,
  addressLenPtr: number,
) => number = libc.func(
  'intptr_t recvfrom(int fd, intptr_t ptr, size_t len, int flags, intptr_t address, intptr_t addressLen)',
);

/** `recvmmsg(2)` into native memory, the form for hot code; returns datagrams received or -1. @hot */
export const recvmmsgPtr: (
  fd: number,
  ptr: number,
  count: number,
  flags: number,
  timeoutPtr: number,
) => number = libc.func('int recvmmsg(int fd, intptr_t messages, uint count, int flags, intptr_t timeout)');

/** `sendmmsg(2)` from native memory, the form for hot code; returns datagrams sent or -1. @hot */
export const sendmmsgPtr: (fd: number, ptr: number, count: number, flags: number) => number = libc.func(
  'int sendmmsg(int fd, intptr_t messages, uint count, int flags)',
);

/** @source recvfrom(2) */
export const recvfrom: (
  fd: number,
  memory: Memory,
  len: number,
  flags: number,
  address: Memory,
  addressLen: Memory,
) => number = libc.func(
  'intptr_t recvfrom(int fd, void *memory, size_t len, int flags, void *address, void *addressLen)',
);

/** @source poll(2) [struct pollfd: i32 fd, i16 events, i16 revents] */
export const poll: (fds: Memory, count: number, timeoutMs: number) => number = libc.func(
  'int poll(void *fds, ulong count, int timeout)',
);

/** `poll(2)` over native memory, the form for hot code. @hot */
export const pollPtr: (fdsPtr: number, count: number, timeoutMs: number) => number = libc.func(
  'int poll(intptr_t fds, ulong count, int timeout)',
);

/** @source eventfd(2) */
export const eventfd: (initial: number, flags: number) => number = libc.func(
  'int eventfd(uint initial, int flags)',
);

/** Reads an IP address. @source inet_pton(3); returns 1, or 0 when `text` is no address of the family */
export const inetPton: (family: number, text: string, address: Memory) => number = libc.func(
  'int inet_pton(int family, str text, void *address)',
);

/** @source setns(2) */
export const setns: (fd: number, type: number) => number = libc.func('int setns(int fd, int type)');

/** @source unshare(2) */
export const unshare: (flags: number) => number = libc.func('int unshare(int flags)');

/** @source sched_setaffinity(2); `pid` 0 is the calling thread */
export const schedSetaffinity: (pid: number, len: number, mask: Memory) => number = libc.func(
  'int sched_setaffinity(int pid, size_t len, void *mask)',
);

/** @source sched_getaffinity(2); `pid` 0 is the calling thread */
export const schedGetaffinity: (pid: number, len: number, mask: Memory) => number = libc.func(
  'int sched_getaffinity(int pid, size_t len, void *mask)',
);

/** @source sched_setscheduler(2); `parameter` is one int32, the priority */
export const schedSetscheduler: (pid: number, policy: number, parameter: Memory) => number = libc.func(
  'int sched_setscheduler(int pid, int policy, void *parameter)',
);

/** @source sched_getscheduler(2) */
export const schedGetscheduler: (pid: number) => number = libc.func('int sched_getscheduler(int pid)');

/** Reads the priority of a thread. @source sched_getparam(2); writes one int32, the priority */
export const schedGetparam: (pid: number, parameter: Memory) => number = libc.func(
  'int sched_getparam(int pid, void *parameter)',
);

/** @source sched_getcpu(3) */
export const schedGetcpu: () => number = libc.func('int sched_getcpu()');

/** @source gettid(2) */
export const gettid: () => number = libc.func('int gettid()');

/** @source geteuid(2) */
export const geteuid: () => number = libc.func('uint geteuid()');

/** @source getppid(2) */
export const getppid: () => number = libc.func('int getppid()');

/** @source prctl(2), the options that take one integer */
export const prctl: (option: number, argument: number) => number = libc.func(
  'int prctl(int option, ulong argument)',
);

/** @source clock_gettime(2); writes {i64 seconds, i64 nanoseconds} */
export const clockGettime: (clock: number, timespec: Memory) => number = libc.func(
  'int clock_gettime(int clock, void *timespec)',
);

/** `clock_gettime(2)` into native memory, the form for hot code. @hot */
export const clockGettimePtr: (clock: number, timespecPtr: number) => number = libc.func(
  'int clock_gettime(int clock, intptr_t timespec)',
);

/** @source nanosleep(2); `remaining` may be null */
export const nanosleep: (request: Memory, remaining: Memory) => number = libc.func(
  'int nanosleep(void *request, void *remaining)',
);

/** @source sched_yield(2) */
export const schedYield: () => number = libc.func('int sched_yield()');

/** @source syscall(2): any system call by number, integers and ptrs only */
export const syscall: (
  number: number,
  a: number,
  b: number,
  c: number,
  d: number,
  e: number,
  f: number,
) => number = libc.func(
  'intptr_t syscall(long number, intptr_t a, intptr_t b, intptr_t c, intptr_t d, intptr_t e, intptr_t f)',
);
