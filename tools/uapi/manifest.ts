/** A struct to describe: by its name, or under a name of ours when the kernel has no such name for it. */
export type StructSpec =
  | string
  | {
      /** what we call the part */
      readonly name: string;
      /** the struct or union that has it, or that is it, under the kernel's inner name */
      readonly of: string;
      /** the struct-typed member that is the part, or any member of an unnamed part; absent for the whole */
      readonly member?: string;
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
  /**
   * macros that are newer than the headers of Debian 12 (Linux 6.1): BTF keeps no macros, so they stand here; and those
   * made by macros with arguments, as requests of ioctl(2) are
   */
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
  headers: ['linux/if_xdp.h', 'linux/if_link.h', 'x86_64-linux-gnu/bits/socket.h'],
  constants: [/^XDP_(?!ATTACHED_|FLAGS_MASK|FLAGS_MODES)/, /^XSK_/, 'AF_XDP', 'SOL_XDP'],
  structs: [
    'sockaddr_xdp',
    'xdp_umem_reg',
    'xdp_ring_offset',
    'xdp_mmap_offsets',
    'xdp_statistics',
    'xdp_options',
    'xdp_desc',
    'xsk_tx_metadata',
  ],
  newer: {
    XDP_USE_SG: 16,
    XDP_PKT_CONTD: 1,
    XDP_TX_METADATA: 2,
    XDP_MAX_TX_SKB_BUDGET: 9,
    XDP_UMEM_TX_SW_CSUM: 2,
    XDP_UMEM_TX_METADATA_LEN: 4,
    XDP_TXMD_FLAGS_TIMESTAMP: 1,
    XDP_TXMD_FLAGS_CHECKSUM: 2,
  },
};

const bpf: ModuleSpec = {
  name: 'bpf',
  about: 'bpf(2): opcodes, commands, kinds of maps, programs and links, helpers, XDP actions.',
  headers: ['linux/bpf_common.h', 'linux/bpf.h'],
  constants: [
    /^BPF_(LD|LDX|ST|STX|ALU|JMP|W|H|B|DW|IMM|MEM|MEMSX)$/,
    /^BPF_(ADD|SUB|MUL|DIV|OR|AND|LSH|RSH|NEG|MOD|XOR|MOV|ARSH|END|TO_LE|TO_BE)$/,
    /^BPF_(JA|JEQ|JGT|JGE|JSET|JNE|JLT|JLE|JSGT|JSGE|JSLT|JSLE|CALL|EXIT|K|X|JMP32|ALU64|ATOMIC)$/,
    /^BPF_(FETCH|XCHG|CMPXCHG)$/,
    /^BPF_PSEUDO_(MAP_FD|MAP_VALUE|CALL|KFUNC_CALL)$/,
    /^BPF_(ANY|NOEXIST|EXIST)$/,
    /^BPF_F_(REPLACE|XDP_HAS_FRAGS|XDP_DEV_BOUND_ONLY|TEST_XDP_LIVE_FRAMES)$/,
    /^BPF_(OBJ_NAME_LEN|TAG_SIZE)$/,
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
    'xdp_md',
    bpfAttr('map_create', 'map_type'),
    bpfAttr('map_elem', 'key'),
    bpfAttr('prog_load', 'prog_type'),
    bpfAttr('obj', 'pathname'),
    bpfAttr('test', 'test'),
    bpfAttr('get_id', 'next_id'),
    bpfAttr('info', 'info'),
    bpfAttr('link_create', 'link_create'),
    bpfAttr('link_update', 'link_update'),
    bpfAttr('link_detach', 'link_detach'),
    'bpf_prog_info',
    'bpf_map_info',
    'bpf_link_info',
  ],
  newer: { BPF_MEMSX: 0x80, BPF_F_XDP_DEV_BOUND_ONLY: 64 },
};

const netlink: ModuleSpec = {
  name: 'netlink',
  about: 'rtnetlink: links, addresses, routes, neighbours; generic netlink and its family netdev.',
  headers: [
    'linux/netlink.h',
    'linux/genetlink.h',
    'linux/netdev.h',
    'linux/rtnetlink.h',
    'linux/if_link.h',
    'linux/if_addr.h',
    'linux/neighbour.h',
    'linux/veth.h',
    'linux/if.h',
    'x86_64-linux-gnu/bits/socket.h',
  ],
  constants: [
    'AF_NETLINK',
    'SOL_NETLINK',
    'NETLINK_ROUTE',
    'NETLINK_EXT_ACK',
    'NETLINK_CAP_ACK',
    'NETLINK_GET_STRICT_CHK',
    /^NLM_F_(REQUEST|ACK|DUMP|DUMP_INTR|CREATE|EXCL|REPLACE|ACK_TLVS)$/,
    /^NLMSG_(ERROR|DONE)$/,
    'NLMSGERR_ATTR_MSG',
    'NLA_F_NESTED',
    'NLA_TYPE_MASK',
    /^RTM_(NEW|GET)(LINK|ADDR|ROUTE|NEIGH)$/,
    'RTM_DELLINK',
    'RTEXT_FILTER_SKIP_STATS',
    /^IFLA_(ADDRESS|IFNAME|MTU|TXQLEN|LINKINFO|NET_NS_FD|NUM_RX_QUEUES|NUM_TX_QUEUES|PROMISCUITY|XDP|EXT_MASK)$/,
    /^IFLA_INFO_(KIND|DATA)$/,
    /^IFLA_XDP_(ATTACHED|PROG_ID|DRV_PROG_ID|SKB_PROG_ID|FD|FLAGS|EXPECTED_FD)$/,
    /^XDP_ATTACHED_(DRV|SKB|HW|MULTI)$/,
    'VETH_INFO_PEER',
    /^IFF_(UP|LOOPBACK|RUNNING)$/,
    /^IFA_(ADDRESS|LOCAL|FLAGS|F_NODAD)$/,
    /^RTA_(DST|GATEWAY|OIF)$/,
    /^RT_(TABLE_MAIN|SCOPE_UNIVERSE|SCOPE_LINK)$/,
    'RTPROT_STATIC',
    'RTN_UNICAST',
    /^NDA_(DST|LLADDR)$/,
    'NUD_PERMANENT',
    'NETLINK_GENERIC',
    'GENL_ID_CTRL',
    'CTRL_CMD_GETFAMILY',
    'CTRL_ATTR_FAMILY_NAME',
    'CTRL_ATTR_FAMILY_ID',
    'CTRL_ATTR_OPS',
    'CTRL_ATTR_OP_ID',
    'NETDEV_CMD_DEV_GET',
    'NETDEV_CMD_QUEUE_GET',
    'NETDEV_CMD_NAPI_GET',
    'NETDEV_CMD_NAPI_SET',
    'NETDEV_A_DEV_IFINDEX',
    'NETDEV_A_DEV_XDP_FEATURES',
    'NETDEV_A_DEV_XDP_ZC_MAX_SEGS',
    'NETDEV_A_DEV_XDP_RX_METADATA_FEATURES',
    'NETDEV_A_DEV_XSK_FEATURES',
    'NETDEV_A_NAPI_IFINDEX',
    'NETDEV_A_NAPI_ID',
    'NETDEV_A_NAPI_IRQ',
    'NETDEV_A_NAPI_PID',
    'NETDEV_A_NAPI_DEFER_HARD_IRQS',
    'NETDEV_A_NAPI_GRO_FLUSH_TIMEOUT',
    'NETDEV_A_NAPI_IRQ_SUSPEND_TIMEOUT',
    'NETDEV_A_QUEUE_ID',
    'NETDEV_A_QUEUE_IFINDEX',
    'NETDEV_A_QUEUE_TYPE',
    'NETDEV_A_QUEUE_NAPI_ID',
    'NETDEV_A_QUEUE_XSK',
  ],
  enums: ['netdev_xdp_act', 'netdev_xdp_rx_metadata', 'netdev_xsk_flags', 'netdev_queue_type'],
  structs: ['nlmsghdr', 'nlmsgerr', 'nlattr', 'genlmsghdr', 'ifinfomsg', 'ifaddrmsg', 'rtmsg', 'ndmsg'],
};

const ethtool: ModuleSpec = {
  name: 'ethtool',
  about: 'ethtool requests by ioctl: driver, channels, rings, features, receive hashing, flow rules.',
  headers: ['linux/ethtool.h', 'linux/sockios.h', 'linux/if.h'],
  constants: [
    'SIOCETHTOOL',
    'IFNAMSIZ',
    /^ETHTOOL_(GDRVINFO|GCHANNELS|SCHANNELS|GRINGPARAM)$/,
    /^ETHTOOL_(GFEATURES|SFEATURES|GSSET_INFO|GSTRINGS)$/,
    'ETH_SS_FEATURES',
    'ETH_GSTRING_LEN',
    /^ETHTOOL_(GRSSH|GRXFH)$/,
    /^ETHTOOL_(GRXCLSRLCNT|GRXCLSRULE|GRXCLSRLALL|SRXCLSRLDEL|SRXCLSRLINS)$/,
    /^UDP_V[46]_FLOW$/,
    /^FLOW_(EXT|MAC_EXT|RSS)$/,
    /^RXH_(IP_SRC|IP_DST|L4_B_0_1|L4_B_2_3)$/,
    /^RX_CLS_LOC_(SPECIAL|ANY)$/,
    'ETH_RSS_HASH_TOP_BIT',
    'ETH_RSS_HASH_XOR_BIT',
    'ETH_RSS_HASH_CRC32_BIT',
  ],
  structs: [
    'ifreq',
    'ethtool_drvinfo',
    'ethtool_channels',
    'ethtool_ringparam',
    'ethtool_gstrings',
    'ethtool_sset_info',
    'ethtool_gfeatures',
    'ethtool_get_features_block',
    'ethtool_sfeatures',
    'ethtool_set_features_block',
    'ethtool_rxfh',
    'ethtool_rxnfc',
    'ethtool_rx_flow_spec',
    'ethtool_tcpip4_spec',
    'ethtool_tcpip6_spec',
  ],
  newer: { RXH_XFRM_SYM_XOR: 1, RXH_XFRM_SYM_OR_XOR: 2 },
};

const socket: ModuleSpec = {
  name: 'socket',
  about: 'Sockets: families, options, messages of several datagrams, poll.',
  headers: [
    'x86_64-linux-gnu/bits/socket.h',
    'x86_64-linux-gnu/bits/socket_type.h',
    'asm-generic/socket.h',
    'asm-generic/poll.h',
    'linux/in.h',
    'linux/in6.h',
    'linux/if_packet.h',
    'linux/sock_diag.h',
  ],
  constants: [
    /^AF_(UNIX|INET|INET6|PACKET)$/,
    /^SOCK_(DGRAM|RAW|SEQPACKET|CLOEXEC|NONBLOCK)$/,
    /^SOL_(SOCKET|PACKET)$/,
    /^SO_(REUSEADDR|ERROR|PEERCRED|SNDBUF|RCVBUF|SNDBUFFORCE|RCVBUFFORCE|MEMINFO)$/,
    /^SK_MEMINFO_(DROPS|VARS)$/,
    /^IPPROTO_(IP|UDP|IPV6)$/,
    /^SO_(BUSY_POLL|PREFER_BUSY_POLL|BUSY_POLL_BUDGET|INCOMING_NAPI_ID)$/,
    'IPV6_V6ONLY',
    /^MCAST_JOIN_(GROUP|SOURCE_GROUP)$/,
    'PACKET_ADD_MEMBERSHIP',
    'PACKET_MR_PROMISC',
    /^MSG_(DONTWAIT|TRUNC|CTRUNC|NOSIGNAL|CMSG_CLOEXEC)$/,
    'SCM_RIGHTS',
    /^POLL(IN|OUT|ERR|HUP|NVAL)$/,
  ],
  structs: [
    'sockaddr_in',
    'sockaddr_in6',
    'iovec',
    { name: 'msghdr', of: 'user_msghdr' },
    'mmsghdr',
    'pollfd',
    'cmsghdr',
    'sockaddr_un',
    'ucred',
    'group_req',
    'group_source_req',
    'packet_mreq_max',
  ],
};

const packet: ModuleSpec = {
  name: 'packet',
  about: 'AF_PACKET: options, the slots of its rings, classic socket filters.',
  headers: [
    'linux/if_packet.h',
    'linux/if_ether.h',
    'linux/if_arp.h',
    'linux/bpf_common.h',
    'linux/filter.h',
    'asm-generic/socket.h',
  ],
  constants: [
    /^PACKET_(VERSION|RX_RING|TX_RING|RESERVE|STATISTICS|QDISC_BYPASS|IGNORE_OUTGOING)$/,
    'TPACKET_V2',
    'TPACKET_ALIGNMENT',
    /^TP_STATUS_(KERNEL|USER|CSUMNOTREADY|CSUM_VALID|VLAN_VALID)$/,
    /^TP_STATUS_(AVAILABLE|SEND_REQUEST|SENDING|WRONG_FORMAT)$/,
    'ETH_P_ALL',
    /^ARPHRD_(ETHER|LOOPBACK)$/,
    'SO_ATTACH_FILTER',
    'SO_BINDTODEVICE',
    /^BPF_(ABS|IND|MSH|RET|MAXINSNS)$/,
  ],
  structs: ['tpacket2_hdr', 'tpacket_req', 'tpacket_stats', 'sockaddr_ll', 'sock_filter', 'sock_fprog'],
};

const system: ModuleSpec = {
  name: 'system',
  about: 'Files, memory, clocks, threads and processes.',
  headers: [
    'asm-generic/fcntl.h',
    'linux/fcntl.h',
    'x86_64-linux-gnu/sys/epoll.h',
    'linux/magic.h',
    'asm-generic/mman-common.h',
    'asm-generic/mman.h',
    'asm-generic/resource.h',
    'linux/mman.h',
    'asm-generic/hugetlb_encode.h',
    'linux/memfd.h',
    'linux/sched.h',
    'linux/prctl.h',
    'linux/time.h',
    'linux/capability.h',
    'linux/mount.h',
    'linux/aio_abi.h',
  ],
  constants: [
    /^O_(RDWR|WRONLY|CREAT|TRUNC|APPEND|CLOEXEC|NONBLOCK)$/,
    /^PROT_(NONE|READ|WRITE)$/,
    /^MAP_(SHARED|PRIVATE|FIXED|ANONYMOUS|POPULATE|NORESERVE|HUGETLB|HUGE_2MB)$/,
    'MADV_DONTFORK',
    /^MFD_(CLOEXEC|ALLOW_SEALING)$/,
    /^F_(GETFL|SETFL|ADD_SEALS|GET_SEALS|SEAL_SEAL|SEAL_SHRINK|SEAL_GROW)$/,
    /^EPOLL_CTL_(ADD|DEL)$/,
    'EPOLLIN',
    'EPOLLET',
    'HUGETLBFS_MAGIC',
    'CLOCK_REALTIME',
    'CLOCK_MONOTONIC',
    'CLOCK_TAI',
    'CLONE_NEWNET',
    /^SCHED_(NORMAL|FIFO|RR|BATCH|IDLE|DEADLINE|RESET_ON_FORK)$/,
    /^PR_SET_(PDEATHSIG|TIMERSLACK)$/,
    'FSOPEN_CLOEXEC',
    'FSCONFIG_CMD_CREATE',
    'FSMOUNT_CLOEXEC',
    /^MOUNT_ATTR_(NOSUID|NODEV|NOEXEC)$/,
    /^CAP_(NET_ADMIN|NET_RAW|SYS_ADMIN|SYS_NICE|IPC_LOCK|BPF|PERFMON)$/,
    'IOCB_CMD_PREAD',
    'IOCB_FLAG_RESFD',
  ],
  structs: ['iocb'],
};

const tap: ModuleSpec = {
  name: 'tap',
  about: 'Tap interfaces: requests and flags of /dev/net/tun.',
  headers: ['linux/if_tun.h'],
  constants: [/^IFF_/, /^TUN_F_/],
  newer: {
    // _IOW('T', 202, int), _IOW('T', 208, unsigned int), _IOR('T', 210, unsigned int)
    TUNSETIFF: 0x4004_54ca,
    TUNSETOFFLOAD: 0x4004_54d0,
    TUNGETIFF: 0x8004_54d2,
  },
};

const uring: ModuleSpec = {
  name: 'uring',
  about: 'io_uring: set-up, entries, operations, registration.',
  headers: ['linux/io_uring.h'],
  constants: [/^IORING_(?!OP_|REGISTER_|UNREGISTER_)/, /^IOSQE_.*(?<!_BIT)$/, /^IO_URING_/],
  enums: ['io_uring_op', 'io_uring_register_op'],
  structs: [
    'io_uring_params',
    'io_sqring_offsets',
    'io_cqring_offsets',
    'io_uring_sqe',
    'io_uring_cqe',
    'io_uring_getevents_arg',
    'io_uring_probe',
    'io_uring_probe_op',
    'io_uring_buf',
    'io_uring_buf_reg',
    'io_uring_recvmsg_out',
    'io_uring_napi',
  ],
};

/** Everything that is generated. */
export const modules: readonly ModuleSpec[] = [
  xdp,
  bpf,
  netlink,
  ethtool,
  socket,
  packet,
  system,
  tap,
  uring,
];

/** System calls that the C library has no function for. */
export const syscalls: readonly string[] = [
  'bpf',
  'fsopen',
  'fsconfig',
  'fsmount',
  'io_setup',
  'io_submit',
  'io_getevents',
  'io_destroy',
  'io_uring_setup',
  'io_uring_enter',
  'io_uring_register',
];
