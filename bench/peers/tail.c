// The C peer of `barewire bench tail`: the same round trip over AF_XDP, as one would write it in C.
//
//   tail echo   IFACE CORE UDP_PORT SECONDS                               sends every order back
//   tail client IFACE CORE UDP_PORT SECONDS WARM_UP_SECONDS RATE FRAME    sends orders, measures their round trip
//
// One thread, pinned, spinning; copy mode in the driver, rings of 2,048 descriptors, need_wakeup. FRAME is an order as
// the caller sends it [hex]; the first four bytes of its payload are replaced by the number of the trip. Open loop: trip
// i is due at t0 + i / RATE, and its latency counts from then, whenever it was sent.
//
// An echo says "ready" once it is attached, and ends with the trip 0xffffffff, or after SECONDS at the latest. A client
// writes its latencies to standard output, in the layout of src/core/histogram.ts; what it lacks of RATE * SECONDS was
// lost.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <math.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
  RING = 2048,
  FILL = 2 * RING,
  CHUNKS = FILL + RING,
  CHUNK_LEN = 2048,
  BURST = 64,
  IP = 14,
  UDP = 34,
  PAYLOAD = 42,
  PAYLOAD_LEN = 25,
  FRAME_LEN = PAYLOAD + PAYLOAD_LEN,
};
static const uint32_t LAST_TRIP = 0xffffffff;
// How long before the first trip of a run is due, and how long after the last one its answers are waited for. [ns]
static const uint64_t LEAD_NS = 20e6, GRACE_NS = 200e6;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

// ---- Latencies, in the layout of src/core/histogram.ts: below 2^8 a bucket a value, above it 128 a power of two.

static struct {
  int32_t magic, version, buckets, zero;
  double sum, min, max, above, below, last;
  double bucket[31 << 7];
} latencies = {.magic = 0x53484257, .version = 1, .buckets = 31 << 7, .min = INFINITY, .max = -INFINITY};

static void record(uint64_t ns) {
  uint64_t limit = (1ull << 37) - 1;
  uint64_t value = ns < limit ? ns : limit;
  int shift = 56 - __builtin_clzll(value | 128);
  latencies.bucket[(shift << 7) + (value >> shift)]++;
  latencies.sum += value;
  latencies.last = value;
  if (value < latencies.min) latencies.min = value;
  if (value > latencies.max) latencies.max = value;
}

// ---- The XDP program: UDP to our port goes to the socket, everything else to the kernel.

static int bpf(int command, union bpf_attr *attr) {
  int result = syscall(SYS_bpf, command, attr, sizeof *attr);
  if (result < 0) fail("bpf");
  return result;
}

#define INSN(CODE, DST, SRC, OFF, IMM) {.code = CODE, .dst_reg = DST, .src_reg = SRC, .off = OFF, .imm = IMM}
#define LOAD(SIZE, DST, SRC, OFF) INSN(BPF_LDX | BPF_MEM | SIZE, DST, SRC, OFF, 0)
#define UNLESS(REG, IMM, SKIP) INSN(BPF_JMP | BPF_JNE | BPF_K, REG, 0, SKIP, IMM)

static void attach(int ifindex, int socket, uint16_t port) {
  union bpf_attr create = {.map_type = BPF_MAP_TYPE_XSKMAP, .key_size = 4, .value_size = 4, .max_entries = 1};
  int map = bpf(BPF_MAP_CREATE, &create);
  uint32_t queue = 0;
  union bpf_attr update = {.map_fd = map, .key = (uintptr_t)&queue, .value = (uintptr_t)&socket};
  bpf(BPF_MAP_UPDATE_ELEM, &update);

  struct bpf_insn code[] = {
      LOAD(BPF_W, 2, 1, offsetof(struct xdp_md, data)),
      LOAD(BPF_W, 3, 1, offsetof(struct xdp_md, data_end)),
      INSN(BPF_ALU64 | BPF_MOV | BPF_X, 4, 2, 0, 0),
      INSN(BPF_ALU64 | BPF_ADD | BPF_K, 4, 0, 0, PAYLOAD),
      INSN(BPF_JMP | BPF_JGT | BPF_X, 4, 3, 14, 0),
      LOAD(BPF_H, 4, 2, 12),
      UNLESS(4, htons(0x0800), 12),
      LOAD(BPF_B, 4, 2, IP),
      UNLESS(4, 0x45, 10),
      LOAD(BPF_B, 4, 2, IP + 9),
      UNLESS(4, IPPROTO_UDP, 8),
      LOAD(BPF_H, 4, 2, UDP + 2),
      UNLESS(4, htons(port), 6),
      LOAD(BPF_W, 2, 1, offsetof(struct xdp_md, rx_queue_index)),
      INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map),
      INSN(0, 0, 0, 0, 0),
      INSN(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, XDP_PASS),
      INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map),
      INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
      INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_PASS),
      INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
  };
  union bpf_attr load = {
      .prog_type = BPF_PROG_TYPE_XDP,
      .insns = (uintptr_t)code,
      .insn_cnt = sizeof code / sizeof *code,
      .license = (uintptr_t) "MIT",
      .expected_attach_type = BPF_XDP,
  };
  union bpf_attr link = {.link_create = {
                             .prog_fd = bpf(BPF_PROG_LOAD, &load),
                             .target_ifindex = ifindex,
                             .attach_type = BPF_XDP,
                             .flags = XDP_FLAGS_DRV_MODE,
                         }};
  bpf(BPF_LINK_CREATE, &link);
}

// ---- The socket: its four rings, one burst at a time; free chunks are a stack.

struct ring {
  uint32_t *producer, *consumer, *flags;
  void *entries;
  uint32_t own, other, size;
};

static struct ring rx, tx, fill, completion;
static uint8_t *umem;
static uint64_t free_chunks[CHUNKS];
static int free_count, fd;

static void map_ring(struct ring *ring, uint32_t size, size_t entry, struct xdp_ring_offset *at, off_t page) {
  size_t len = at->desc + size * entry;
  uint8_t *memory = mmap(0, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, page);
  if (memory == MAP_FAILED) fail("mmap of a ring");
  ring->producer = (uint32_t *)(memory + at->producer);
  ring->consumer = (uint32_t *)(memory + at->consumer);
  ring->flags = (uint32_t *)(memory + at->flags);
  ring->entries = memory + at->desc;
  ring->size = size;
}

// Slots that we may read, up to `most`; `own` is our cursor of a ring that the kernel fills.
static uint32_t peek(struct ring *ring, uint32_t most) {
  if (ring->other - ring->own < most) ring->other = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
  uint32_t count = ring->other - ring->own;
  return count < most ? count : most;
}

static void release(struct ring *ring, uint32_t count) {
  ring->own += count;
  __atomic_store_n(ring->consumer, ring->own, __ATOMIC_RELEASE);
}

// Slots that we may write, up to `most`.
static uint32_t reserve(struct ring *ring, uint32_t most) {
  if (ring->size - (ring->own - ring->other) < most) ring->other = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
  uint32_t count = ring->size - (ring->own - ring->other);
  return count < most ? count : most;
}

static void submit(struct ring *ring, uint32_t count) {
  ring->own += count;
  __atomic_store_n(ring->producer, ring->own, __ATOMIC_RELEASE);
}

static uint64_t *addr_at(struct ring *ring, uint32_t i) {
  return (uint64_t *)ring->entries + ((ring->own + i) & (ring->size - 1));
}

static struct xdp_desc *desc_at(struct ring *ring, uint32_t i) {
  return (struct xdp_desc *)ring->entries + ((ring->own + i) & (ring->size - 1));
}

// Lends the kernel all free chunks but those kept for sending.
static void refill(void) {
  if (free_count <= RING) return;
  uint32_t count = reserve(&fill, free_count - RING);
  for (uint32_t i = 0; i < count; i++) *addr_at(&fill, i) = free_chunks[--free_count];
  submit(&fill, count);
}

// Makes the kernel send what is on the tx ring, and takes back the chunks of what it has sent.
static void flush(void) {
  for (int calls = 0; calls < 2; calls++) {
    if (!(__atomic_load_n(tx.flags, __ATOMIC_SEQ_CST) & XDP_RING_NEED_WAKEUP)) break;
    if (__atomic_load_n(tx.consumer, __ATOMIC_ACQUIRE) == tx.own) break;
    if (sendto(fd, 0, 0, MSG_DONTWAIT, 0, 0) < 0 && errno != EAGAIN && errno != EBUSY && errno != ENOBUFS) {
      fail("sendto");
    }
  }
  uint32_t count = peek(&completion, RING);
  if (count == 0) return;
  for (uint32_t i = 0; i < count; i++) free_chunks[free_count++] = *addr_at(&completion, i) & -CHUNK_LEN;
  release(&completion, count);
  refill();
}

static void set_option(int option, const void *value, socklen_t len) {
  if (setsockopt(fd, SOL_XDP, option, value, len) < 0) fail("setsockopt(SOL_XDP)");
}

static void open_socket(int ifindex) {
  fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket(AF_XDP)");
  umem = mmap(0, CHUNKS * CHUNK_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (umem == MAP_FAILED) fail("mmap of the umem");
  struct xdp_umem_reg reg = {.addr = (uintptr_t)umem, .len = CHUNKS * CHUNK_LEN, .chunk_size = CHUNK_LEN};
  set_option(XDP_UMEM_REG, &reg, sizeof reg);
  const uint32_t ring_size = RING, fill_size = FILL;
  set_option(XDP_RX_RING, &ring_size, 4);
  set_option(XDP_TX_RING, &ring_size, 4);
  set_option(XDP_UMEM_FILL_RING, &fill_size, 4);
  set_option(XDP_UMEM_COMPLETION_RING, &ring_size, 4);
  struct xdp_mmap_offsets at;
  socklen_t len = sizeof at;
  if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &len) < 0) fail("getsockopt(XDP_MMAP_OFFSETS)");
  map_ring(&rx, RING, sizeof(struct xdp_desc), &at.rx, XDP_PGOFF_RX_RING);
  map_ring(&tx, RING, sizeof(struct xdp_desc), &at.tx, XDP_PGOFF_TX_RING);
  map_ring(&fill, FILL, 8, &at.fr, XDP_UMEM_PGOFF_FILL_RING);
  map_ring(&completion, RING, 8, &at.cr, XDP_UMEM_PGOFF_COMPLETION_RING);
  struct sockaddr_xdp address = {
      .sxdp_family = AF_XDP,
      .sxdp_flags = XDP_COPY | XDP_USE_NEED_WAKEUP,
      .sxdp_ifindex = ifindex,
  };
  // A queue that its last owner has just closed is let go by a kernel worker.
  for (int waited_ms = 0; bind(fd, (struct sockaddr *)&address, sizeof address) < 0; waited_ms++) {
    if (errno != EBUSY || waited_ms == 200) fail("bind(AF_XDP)");
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, 0);
  }
  for (int i = CHUNKS; i > 0; i--) free_chunks[free_count++] = (i - 1) * CHUNK_LEN;
  refill();
}

// ---- Frames: both checksums are verified on receipt and computed for sending, as in TypeScript.

static uint32_t sum_words(const uint8_t *bytes, int len) {
  uint32_t sum = 0;
  for (; len > 1; bytes += 2, len -= 2) sum += bytes[0] << 8 | bytes[1];
  return len > 0 ? sum + (bytes[0] << 8) : sum;
}

static uint16_t fold(uint32_t sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  return (sum & 0xffff) + (sum >> 16);
}

// Of the pseudo header, the UDP header and the payload.
static uint16_t udp_sum(const uint8_t *frame) {
  return fold(sum_words(frame + IP + 12, 8 + 8 + PAYLOAD_LEN) + IPPROTO_UDP + 8 + PAYLOAD_LEN);
}

static void put16(uint8_t *at, uint16_t value) {
  at[0] = value >> 8;
  at[1] = value;
}

static uint16_t get16(const uint8_t *at) { return at[0] << 8 | at[1]; }

static int is_order(const uint8_t *frame, uint32_t len, uint16_t port) {
  if (len < FRAME_LEN || get16(frame + 12) != 0x0800 || frame[IP] != 0x45 || frame[IP + 9] != IPPROTO_UDP) return 0;
  if (get16(frame + IP + 2) != FRAME_LEN - IP || (get16(frame + IP + 6) & 0x3fff) != 0) return 0;
  if (get16(frame + UDP + 2) != port || get16(frame + UDP + 4) != FRAME_LEN - UDP) return 0;
  return fold(sum_words(frame + IP, 20)) == 0xffff && udp_sum(frame) == 0xffff;
}

static uint32_t trip_of(const uint8_t *frame) {
  uint32_t trip;
  memcpy(&trip, frame + PAYLOAD, 4);
  return trip;
}

static void swap(uint8_t *a, uint8_t *b, int len) {
  uint8_t saved[6];
  memcpy(saved, a, len);
  memcpy(a, b, len);
  memcpy(b, saved, len);
}

// ---- The two roles.

// Turns each order round in its chunk: it moves from the rx ring to the tx ring.
static void echo(uint16_t port, double seconds) {
  uint64_t until = now_ns() + seconds * 1e9;
  int last = 0;
  for (uint32_t polls = 1; !last; polls++) {
    if ((polls & 0xfff) == 0 && now_ns() > until) return;
    uint32_t count = peek(&rx, BURST);
    if (count == 0) continue;
    uint32_t room = reserve(&tx, count), sent = 0;
    for (uint32_t i = 0; i < count; i++) {
      struct xdp_desc *in = desc_at(&rx, i);
      uint8_t *frame = umem + in->addr;
      if (sent == room || !is_order(frame, in->len, port)) {
        free_chunks[free_count++] = in->addr & -CHUNK_LEN;
        continue;
      }
      last |= trip_of(frame) == LAST_TRIP;
      swap(frame, frame + 6, 6);
      swap(frame + IP + 12, frame + IP + 16, 4);
      swap(frame + UDP, frame + UDP + 2, 2);
      *desc_at(&tx, sent++) = (struct xdp_desc){.addr = in->addr, .len = in->len};
    }
    release(&rx, count);
    submit(&tx, sent);
    flush();
  }
}

static uint8_t template[FRAME_LEN];

// Puts an order on the tx ring; one that finds no room is lost.
static void put(uint32_t trip) {
  if (free_count == 0 || reserve(&tx, 1) == 0) return;
  uint64_t addr = free_chunks[--free_count];
  uint8_t *frame = umem + addr;
  memcpy(frame, template, FRAME_LEN);
  memcpy(frame + PAYLOAD, &trip, 4);
  put16(frame + UDP + 6, 0);
  uint16_t sum = ~udp_sum(frame);
  put16(frame + UDP + 6, sum == 0 ? 0xffff : sum);
  *desc_at(&tx, 0) = (struct xdp_desc){.addr = addr, .len = FRAME_LEN};
  submit(&tx, 1);
}

// Sends `count` orders, numbered from `first`, each when it is due, and records when they are back if `measured`.
static void exchange(uint16_t port, uint32_t first, uint32_t count, double interval, int measured) {
  const double start = now_ns() + LEAD_NS;
  uint32_t sent = 0, back = 0;
  while (back < count) {
    double now = now_ns();
    if (sent < count && now >= start + sent * interval) {
      for (int n = 0; n < BURST && sent < count && now >= start + sent * interval; n++) put(first + sent++);
      flush();
    } else if (now > start + count * interval + GRACE_NS) {
      return;
    }
    uint32_t arrived = peek(&rx, BURST);
    if (arrived == 0) continue;
    now = now_ns();
    uint32_t room = reserve(&fill, arrived);
    for (uint32_t i = 0; i < arrived; i++) {
      struct xdp_desc *in = desc_at(&rx, i);
      uint8_t *frame = umem + in->addr;
      uint32_t trip = trip_of(frame) - first;
      if (is_order(frame, in->len, port) && trip < count) {
        back++;
        if (measured) record(now - (start + trip * interval));
      }
      if (i < room) *addr_at(&fill, i) = in->addr & -CHUNK_LEN;
      else free_chunks[free_count++] = in->addr & -CHUNK_LEN;
    }
    release(&rx, arrived);
    submit(&fill, room);
  }
}

int main(int argc, char **argv) {
  int is_client = argc == 9 && strcmp(argv[1], "client") == 0;
  if (!is_client && !(argc == 6 && strcmp(argv[1], "echo") == 0)) {
    fprintf(stderr, "usage: see the head of tail.c\n");
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int ifindex = if_nametoindex(argv[2]);
  if (ifindex == 0) fail(argv[2]);
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(atoi(argv[3]), &cores);
  if (sched_setaffinity(0, sizeof cores, &cores) < 0) fail("sched_setaffinity");
  uint16_t port = atoi(argv[4]);
  double seconds = atof(argv[5]);
  open_socket(ifindex);
  attach(ifindex, fd, port);
  if (!is_client) {
    puts("ready");
    fflush(stdout);
    echo(port, seconds);
    return 0;
  }
  double warm_up = atof(argv[6]), rate = atof(argv[7]);
  for (int i = 0; i < FRAME_LEN; i++) {
    unsigned byte;
    if (sscanf(argv[8] + 2 * i, "%2x", &byte) != 1) fail("FRAME");
    template[i] = byte;
  }
  uint32_t warm_trips = warm_up * rate, trips = seconds * rate;
  exchange(port, 0, warm_trips, 1e9 / rate, 0);
  exchange(port, warm_trips, trips, 1e9 / rate, 1);
  put(LAST_TRIP);
  flush();
  if (fwrite(&latencies, sizeof latencies, 1, stdout) != 1) fail("write");
  return 0;
}
