/** A struct to describe: a whole one by its name, or a part of one that has no name of its own. */
export type StructSpec =
  | string
  | {
      /** what we call the part */
      readonly name: string;
      /** the struct or union it is a part of */
      readonly of: string;
      /** the struct-typed member that is the part, or any member of an unnamed part */
      readonly member: string;
    };

/** One generated module. */
export interface ModuleSpec {
  /** its file name without `.ts` */
  readonly name: string;
  /** one sentence for the head of the file */
  readonly about: string;
  /** where its macros are defined, below /usr/include */
  readonly headers: readonly string[];
  /** macros and enumerators wanted, by name or pattern; a pattern takes what the headers define */
  readonly constants: readonly (string | RegExp)[];
  /** enums wanted whole, as the kernel has them */
  readonly enums?: readonly string[];
  readonly structs?: readonly StructSpec[];
  /** macros that are newer than the headers of Debian 12 (Linux 6.1): BTF keeps no macros, so they stand here */
  readonly newer?: Readonly<Record<string, number>>;
}

const bpfAttr = (name: string, member: string): StructSpec => ({
  name: `bpf_attr_${name}`,
  of: 'bpf_attr',
  member,
});

const xdp: ModuleSpec = {
  name: 'xdp',
  about: 'AF_XDP: socket options, ring layouts, descriptors.',
  headers: ['linux/if_xdp.h', 'x86_64-linux-gnu/bits/socket.h'],
  constants: [/^XDP_/, /^XSK_/, 'AF_XDP', 'SOL_XDP'],
  structs: [
    'sockaddr_xdp',
    'xdp_umem_reg',
    'xdp_ring_offset',
    'xdp_mmap_offsets',
    'xdp_statistics',
    'xdp_options',
    'xdp_desc',
  ],
  newer: { XDP_USE_SG: 16, XDP_PKT_CONTD: 1, XDP_TX_METADATA: 2, XDP_MAX_TX_SKB_BUDGET: 9 },
};

const bpf: ModuleSpec = {
  name: 'bpf',
  about: 'bpf(2): opcodes, commands, kinds of maps, programs and links, helpers, XDP actions.',
  headers: ['linux/bpf_common.h', 'linux/bpf.h', 'linux/btf.h'],
  constants: [
    /^BPF_(LD|LDX|ST|STX|ALU|JMP|RET|MISC|W|H|B|DW|IMM|ABS|IND|MEM|LEN|MSH|MEMSX)$/,
    /^BPF_(ADD|SUB|MUL|DIV|OR|AND|LSH|RSH|NEG|MOD|XOR|MOV|ARSH|END|TO_LE|TO_BE|FROM_LE|FROM_BE)$/,
    /^BPF_(JA|JEQ|JGT|JGE|JSET|JNE|JLT|JLE|JSGT|JSGE|JSLT|JSLE|CALL|EXIT|K|X|JMP32|ALU64|ATOMIC|XADD)$/,
    /^BPF_(FETCH|XCHG|CMPXCHG)$/,
    /^BPF_PSEUDO_/,
    /^BPF_(ANY|NOEXIST|EXIST)$/,
    /^BPF_F_(NO_PREALLOC|NUMA_NODE|RDONLY|WRONLY|ZERO_SEED|RDONLY_PROG|WRONLY_PROG|MMAPABLE|INNER_MAP|REPLACE)$/,
    /^BPF_F_(STRICT_ALIGNMENT|ANY_ALIGNMENT|SLEEPABLE|XDP_HAS_FRAGS|XDP_DEV_BOUND_ONLY|TEST_XDP_LIVE_FRAMES)$/,
    /^BPF_(OBJ_NAME_LEN|TAG_SIZE|REG_.*)$/,
    /^BTF_(MAGIC|VERSION|KIND_.*|MAX_.*|INT_.*)$/,
  ],
  enums: [
    'bpf_cmd',
    'bpf_map_type',
    'bpf_prog_type',
    'bpf_attach_type',
    'bpf_link_type',
    'bpf_func_id',
    'xdp_action',
  ],
  structs: [
    'bpf_insn',
    'xdp_md',
    bpfAttr('map_create', 'map_type'),
    bpfAttr('map_elem', 'key'),
    bpfAttr('batch', 'batch'),
    bpfAttr('prog_load', 'prog_type'),
    bpfAttr('obj', 'pathname'),
    bpfAttr('prog_attach', 'attach_bpf_fd'),
    bpfAttr('test', 'test'),
    bpfAttr('get_id', 'next_id'),
    bpfAttr('info', 'info'),
    bpfAttr('query', 'query'),
    bpfAttr('btf_load', 'btf_log_buf'),
    bpfAttr('link_create', 'link_create'),
    bpfAttr('link_update', 'link_update'),
    bpfAttr('link_detach', 'link_detach'),
    bpfAttr('enable_stats', 'enable_stats'),
    bpfAttr('prog_bind_map', 'prog_bind_map'),
    'bpf_prog_info',
    'bpf_map_info',
    'bpf_btf_info',
    'bpf_link_info',
    'bpf_func_info',
    'bpf_line_info',
    'btf_header',
  ],
  newer: { BPF_MEMSX: 0x80, BPF_F_XDP_DEV_BOUND_ONLY: 64 },
};

/** Everything that is generated. */
export const modules: readonly ModuleSpec[] = [xdp, bpf];

/** System calls that the C library has no function for. */
export const syscalls: readonly string[] = ['bpf'];
