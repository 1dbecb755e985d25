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

/** Maps `len` bytes of a file or of fresh memory. Returns the mapping's ptr, or -1. @source mmap(2) */
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

/** Unmaps memory that {@link mmap} returned; views of it must be detached before. @source munmap(2) */
export const munmap: (ptr: number, len: number) => number = libc.func('int munmap(intptr_t ptr, size_t len)');

/** Allocates every page of a mapping now and keeps all of them out of swap. @source mlock(2) */
export const mlock: (ptr: number, len: number) => number = libc.func('int mlock(intptr_t ptr, size_t len)');

/** Tells the kernel how a mapping will be used, such as with huge pages. @source madvise(2) */
export const madvise: (ptr: number, len: number, advice: number) => number = libc.func(
  'int madvise(intptr_t ptr, size_t len, int advice)',
);

/** Creates a file that lives in memory only. Returns its fd. @source memfd_create(2) */
export const memfdCreate: (name: string, flags: number) => number = libc.func(
  'int memfd_create(str name, uint flags)',
);

/** Sets the length of a file; what is new reads as zeros. @source ftruncate(2) */
export const ftruncate: (fd: number, len: number) => number = libc.func('int ftruncate(int fd, int64_t len)');

/** Changes the permissions of a file; of a socket before it is bound, those that its file will have. @source fchmod(2) */
export const fchmod: (fd: number, mode: number) => number = libc.func('int fchmod(int fd, uint mode)');

/** Opens a file. Returns its fd. @source open(2) */
export const open: (path: string, flags: number, mode: number) => number = libc.func(
  'int open(str path, int flags, int mode)',
);

/** Closes an fd; afterwards the kernel may give its number to anybody. @source close(2) */
export const close: (fd: number) => number = libc.func('int close(int fd)');

/** Reads up to `len` bytes into `memory`. Returns bytes read, 0 at the end. @source read(2) */
export const read: (fd: number, memory: Memory, len: number) => number = libc.func(
  'intptr_t read(int fd, void *memory, size_t len)',
);

/** Writes up to `len` bytes of `memory`. Returns bytes written. @source write(2) */
export const write: (fd: number, memory: Memory, len: number) => number = libc.func(
  'intptr_t write(int fd, void *memory, size_t len)',
);

/** `readv(2)` with its iovecs in native memory, the form for hot code; returns bytes read or -1. @hot */
export const readvPtr: (fd: number, iovecsPtr: number, count: number) => number = libc.func(
  'intptr_t readv(int fd, intptr_t iovecs, int count)',
);

/** `writev(2)` with its iovecs in native memory, the form for hot code; returns bytes written or -1. @hot */
export const writevPtr: (fd: number, iovecsPtr: number, count: number) => number = libc.func(
  'intptr_t writev(int fd, intptr_t iovecs, int count)',
);

/** Reads or changes a property of an fd. @source fcntl(2), the commands that take an int */
export const fcntl: (fd: number, command: number, argument: number) => number = libc.func(
  'int fcntl(int fd, int command, intptr_t argument)',
);

/**
 * Asks the driver behind an fd; what `memory` holds depends on the request.
 *
 * @source ioctl(2), the requests that take a pointer
 */
export const ioctl: (fd: number, request: number, memory: Memory) => number = libc.func(
  'int ioctl(int fd, ulong request, void *memory)',
);

/** Asks the driver behind an fd. @source ioctl(2), the requests that take an integer */
export const ioctlInt: (fd: number, request: number, argument: number) => number = libc.func(
  'int ioctl(int fd, ulong request, intptr_t argument)',
);

/** Opens a socket. Returns its fd. @source socket(2) */
export const socket: (family: number, type: number, protocol: number) => number = libc.func(
  'int socket(int family, int type, int protocol)',
);

/** Gives a socket its local address. [struct sockaddr of `len` bytes] @source bind(2) */
export const bind: (fd: number, address: Memory, len: number) => number = libc.func(
  'int bind(int fd, void *address, uint len)',
);

/** Gives a socket its peer. [struct sockaddr of `len` bytes] @source connect(2) */
export const connect: (fd: number, address: Memory, len: number) => number = libc.func(
  'int connect(int fd, void *address, uint len)',
);

/** Has a socket take connections; `backlog` of them wait at most. @source listen(2) */
export const listen: (fd: number, backlog: number) => number = libc.func('int listen(int fd, int backlog)');

/** Takes a connection that waits, and the peer's address unless that is null. Returns its fd. @source accept4(2) */
export const accept4: (fd: number, address: Memory, len: Memory, flags: number) => number = libc.func(
  'int accept4(int fd, void *address, void *len, int flags)',
);

/** Sends one message, with descriptors if it has any. Returns bytes sent. [struct msghdr] @source sendmsg(2) */
export const sendmsg: (fd: number, message: Memory, flags: number) => number = libc.func(
  'intptr_t sendmsg(int fd, void *message, int flags)',
);

/** Receives one message and the descriptors with it. Returns bytes received. [struct msghdr] @source recvmsg(2) */
export const recvmsg: (fd: number, message: Memory, flags: number) => number = libc.func(
  'intptr_t recvmsg(int fd, void *message, int flags)',
);

/** Reads a socket's local address; `len` is in and out. [one uint32] @source getsockname(2) */
export const getsockname: (fd: number, address: Memory, len: Memory) => number = libc.func(
  'int getsockname(int fd, void *address, void *len)',
);

/** Sets an option of a socket from `len` bytes of `value`. @source setsockopt(2) */
export const setsockopt: (fd: number, level: number, name: number, value: Memory, len: number) => number =
  libc.func('int setsockopt(int fd, int level, int name, void *value, uint len)');

/** Reads an option of a socket into `value`; `len` is in and out. [one uint32] @source getsockopt(2) */
export const getsockopt: (fd: number, level: number, name: number, value: Memory, len: Memory) => number =
  libc.func('int getsockopt(int fd, int level, int name, void *value, void *len)');

/** Sends one message, to `address` unless that is null. Returns bytes sent. @source sendto(2) */
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

/** `recvfrom(2)` into native memory, as {@link sendtoPtr}: what a lane calls before it sleeps. */
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

/**
 * Receives one message, and its sender's address unless that is null. Returns bytes received.
 *
 * @source recvfrom(2)
 */
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

/**
 * Waits until one of `count` fds is ready. Returns how many are. [struct pollfd: i32 fd, i16 events, i16 revents]
 *
 * @source poll(2)
 */
export const poll: (fds: Memory, count: number, timeoutMs: number) => number = libc.func(
  'int poll(void *fds, ulong count, int timeout)',
);

/** `poll(2)` over native memory, the form for hot code. @hot */
export const pollPtr: (fdsPtr: number, count: number, timeoutMs: number) => number = libc.func(
  'int poll(intptr_t fds, ulong count, int timeout)',
);

/** Creates a set of descriptors to wait for. Returns its fd. @source epoll_create1(2) */
export const epollCreate1: (flags: number) => number = libc.func('int epoll_create1(int flags)');

/** Adds a descriptor to such a set, or removes it. [struct epoll_event] @source epoll_ctl(2) */
export const epollCtl: (epoll: number, command: number, fd: number, event: Memory) => number = libc.func(
  'int epoll_ctl(int epoll, int command, int fd, void *event)',
);

/** `epoll_wait(2)` over native memory; returns how many descriptors are ready. */
export const epollWaitPtr: (epoll: number, eventsPtr: number, count: number, timeoutMs: number) => number =
  libc.func('int epoll_wait(int epoll, intptr_t events, int count, int timeout)');

/** Creates a timer that can be polled. Returns its fd. @source timerfd_create(2) */
export const timerfdCreate: (clock: number, flags: number) => number = libc.func(
  'int timerfd_create(int clock, int flags)',
);

/** Arms such a timer; all zeros disarm it. [struct itimerspec: i64 interval and first, as s and ns] @source timerfd_settime(2) */
export const timerfdSettime: (fd: number, flags: number, value: Memory, before: Memory) => number = libc.func(
  'int timerfd_settime(int fd, int flags, void *value, void *before)',
);

/** Creates a counter that can be polled, starting at `initial`. Returns its fd. @source eventfd(2) */
export const eventfd: (initial: number, flags: number) => number = libc.func(
  'int eventfd(uint initial, int flags)',
);

/**
 * Writes the IP address in `text` to `address`. Returns 1, or 0 when it is none of that family.
 *
 * @source inet_pton(3)
 */
export const inetPton: (family: number, text: string, address: Memory) => number = libc.func(
  'int inet_pton(int family, str text, void *address)',
);

/** Moves the calling thread into the namespace behind `fd`. @source setns(2) */
export const setns: (fd: number, type: number) => number = libc.func('int setns(int fd, int type)');

/** Moves the calling thread into namespaces of its own. @source unshare(2) */
export const unshare: (flags: number) => number = libc.func('int unshare(int flags)');

/**
 * Chooses the cores that a thread may run on; `pid` 0 is the calling thread. [`len` bytes, a bit for each core]
 *
 * @source sched_setaffinity(2)
 */
export const schedSetaffinity: (pid: number, len: number, mask: Memory) => number = libc.func(
  'int sched_setaffinity(int pid, size_t len, void *mask)',
);

/**
 * Reads the cores that a thread may run on; `pid` 0 is the calling thread. [`len` bytes, a bit for each core]
 *
 * @source sched_getaffinity(2)
 */
export const schedGetaffinity: (pid: number, len: number, mask: Memory) => number = libc.func(
  'int sched_getaffinity(int pid, size_t len, void *mask)',
);

/**
 * Chooses how a thread is scheduled; `pid` 0 is the calling thread. [`parameter`: one int32, the priority]
 *
 * @source sched_setscheduler(2)
 */
export const schedSetscheduler: (pid: number, policy: number, parameter: Memory) => number = libc.func(
  'int sched_setscheduler(int pid, int policy, void *parameter)',
);

/**
 * Returns how a thread is scheduled; `pid` 0 is the calling thread. [SCHED_…]
 *
 * @source sched_getscheduler(2)
 */
export const schedGetscheduler: (pid: number) => number = libc.func('int sched_getscheduler(int pid)');

/**
 * Reads the priority of a thread; `pid` 0 is the calling thread. [`parameter`: one int32]
 *
 * @source sched_getparam(2)
 */
export const schedGetparam: (pid: number, parameter: Memory) => number = libc.func(
  'int sched_getparam(int pid, void *parameter)',
);

/**
 * Returns the core that the calling thread runs on, which may have changed by then.
 *
 * @source sched_getcpu(3)
 */
export const schedGetcpu: () => number = libc.func('int sched_getcpu()');

/** Returns the id of the calling thread. @source gettid(2) */
export const gettid: () => number = libc.func('int gettid()');

/** Returns the effective user id; 0 is root. @source geteuid(2) */
export const geteuid: () => number = libc.func('uint geteuid()');

/** Returns the id of the parent process. @source getppid(2) */
export const getppid: () => number = libc.func('int getppid()');

/**
 * Reads or changes a property of the calling process or thread.
 *
 * @source prctl(2), the options that take one integer
 */
export const prctl: (option: number, argument: number) => number = libc.func(
  'int prctl(int option, ulong argument)',
);

/** Reads a clock into `timespec`. [i64 seconds, i64 nanoseconds] @source clock_gettime(2) */
export const clockGettime: (clock: number, timespec: Memory) => number = libc.func(
  'int clock_gettime(int clock, void *timespec)',
);

/** `clock_gettime(2)` into native memory, the form for hot code. @hot */
export const clockGettimePtr: (clock: number, timespecPtr: number) => number = libc.func(
  'int clock_gettime(int clock, intptr_t timespec)',
);

/**
 * Sleeps for `request`; a signal ends it early and leaves the rest in `remaining`, which may be null. [struct timespec]
 *
 * @source nanosleep(2)
 */
export const nanosleep: (request: Memory, remaining: Memory) => number = libc.func(
  'int nanosleep(void *request, void *remaining)',
);

/** Lets another thread that waits for this core run first. @source sched_yield(2) */
export const schedYield: () => number = libc.func('int sched_yield()');

/**
 * Makes any system call by its number, with integers and ptrs only. Returns what the kernel does, or -1.
 *
 * @source syscall(2)
 */
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

/**
 * Registers what `memory` says with an io_uring. Returns what the kernel does, or -1.
 *
 * @source io_uring_register(2), which the C library has no function for
 */
export const ioUringRegister: (
  number: number,
  fd: number,
  operation: number,
  memory: Memory,
  count: number,
) => number = libc.func(
  'intptr_t syscall(long number, intptr_t fd, uintptr_t operation, void *memory, uintptr_t count)',
);
