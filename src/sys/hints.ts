/** One row of the hint table: when `syscall` ends in `code`, `hint` names the likely cause and what mends it. */
export interface Hint {
  readonly syscall: string;
  readonly code: string;
  readonly hint: string;
}

/**
 * The one table of hints, printed by errors and by `barewire doctor`.
 *
 * Action first, evidence named, and the command that mends it. Rows are tried in order.
 */
export const hints: readonly Hint[] = [
  {
    syscall: 'socket(AF_XDP)',
    code: 'EPERM',
    hint: 'AF_XDP sockets need CAP_NET_RAW: run as root, or grant it with `setcap cap_net_raw,cap_net_admin,cap_bpf,cap_perfmon+ep NODE`',
  },
  {
    syscall: 'socket(AF_XDP)',
    code: 'EAFNOSUPPORT',
    hint: 'This kernel was built without CONFIG_XDP_SOCKETS: `zgrep XDP_SOCKETS /proc/config.gz` tells',
  },
  {
    syscall: 'setsockopt(XDP_UMEM_REG)',
    code: 'ENOBUFS',
    hint: 'The umem exceeds the locked-memory limit of a process without CAP_IPC_LOCK: raise it with `ulimit -l`',
  },
  {
    syscall: 'setsockopt(XDP_UMEM_REG)',
    code: 'EINVAL',
    hint: 'Chunks must be a power of two from 2048 to the page size when aligned, and the headroom must leave room for a frame',
  },
  {
    syscall: 'bind(AF_XDP)',
    code: 'EBUSY',
    hint: 'Another AF_XDP socket owns this queue: `ss --xdp -ap` names it; close it or choose another queue',
  },
  {
    syscall: 'bind(AF_XDP)',
    code: 'EINVAL',
    hint: 'The interface has no such queue, as `ethtool -l IFACE` tells, or in zero-copy mode a frame of its mtu does not fit into a chunk',
  },
  {
    syscall: 'bind(AF_XDP)',
    code: 'ENODEV',
    hint: 'The interface is gone from this network namespace: `ip link` lists those that are there',
  },
  {
    syscall: 'bind(AF_XDP)',
    code: 'EOPNOTSUPP',
    hint: 'The driver has no zero-copy for this queue, or not as asked: ask for mode "copy" by name, or do not be strict',
  },
  {
    syscall: 'bind(AF_XDP)',
    code: 'ENETDOWN',
    hint: 'The interface is down: `ip link set IFACE up`',
  },
  {
    syscall: 'bpf(BPF_PROG_GET_FD_BY_ID)',
    code: 'EPERM',
    hint: 'Looking at programs of others, as to replace one, needs CAP_SYS_ADMIN: run as root',
  },
  {
    syscall: 'bpf(BPF_LINK_CREATE)',
    code: 'EBUSY',
    hint: 'Another XDP program is attached to this interface: `ip link show IFACE` gives its id; detach it there first',
  },
  {
    syscall: 'bpf(BPF_LINK_CREATE)',
    code: 'EEXIST',
    hint: 'Another XDP program is attached to this interface in another mode: `ip link show IFACE` gives its id',
  },
  {
    syscall: 'bpf(BPF_PROG_LOAD)',
    code: 'EPERM',
    hint: 'Loading an XDP program needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON: run as root, or grant them with `setcap`',
  },
  {
    syscall: 'bpf(BPF_MAP_CREATE)',
    code: 'EPERM',
    hint: 'Creating this map needs CAP_BPF (and CAP_NET_ADMIN for an XSKMAP): run as root, or grant them with `setcap`',
  },
  {
    syscall: 'mmap(MAP_HUGETLB)',
    code: 'ENOMEM',
    hint: 'No free huge pages: reserve some with `echo 512 > /proc/sys/vm/nr_hugepages`',
  },
  {
    syscall: 'mlock',
    code: 'ENOMEM',
    hint: 'The locked-memory limit is too low: raise it with `ulimit -l`, or grant CAP_IPC_LOCK',
  },
  {
    syscall: 'unshare(CLONE_NEWNET)',
    code: 'EPERM',
    hint: 'A new network namespace needs CAP_SYS_ADMIN: run as root',
  },
  {
    syscall: 'setns(CLONE_NEWNET)',
    code: 'EPERM',
    hint: 'Entering a network namespace needs CAP_SYS_ADMIN: run as root',
  },
  ...['RTM_NEWLINK', 'RTM_DELLINK', 'RTM_NEWADDR', 'RTM_NEWROUTE', 'RTM_NEWNEIGH'].map((request) => ({
    syscall: `netlink(${request})`,
    code: 'EPERM',
    hint: 'Changing interfaces, addresses and routes needs CAP_NET_ADMIN: run as root, or work in a network namespace of your own',
  })),
  ...['ETHTOOL_SFEATURES', 'ETHTOOL_SCHANNELS'].map((command) => ({
    syscall: `ioctl(${command})`,
    code: 'EPERM',
    hint: 'Changing features and channels of an interface needs CAP_NET_ADMIN: run as root',
  })),
  ...['ETHTOOL_SRXCLSRLINS', 'ETHTOOL_SRXCLSRLDEL'].map((command) => ({
    syscall: `ioctl(${command})`,
    code: 'EPERM',
    hint: 'Steering flows needs CAP_NET_ADMIN: run as root',
  })),
  {
    syscall: 'ioctl(ETHTOOL_SRXCLSRLINS)',
    code: 'EOPNOTSUPP',
    hint: 'The driver steers no flows, or not these: open every nicQueue, on any of which the flow may arrive',
  },
  {
    syscall: 'ioctl(ETHTOOL_SRXCLSRLINS)',
    code: 'EINVAL',
    hint: 'The interface has no such queue (`ethtool -l IFACE` lists its channels), or its NIC cannot compare these fields: leave addresses or source port out',
  },
  {
    syscall: 'ioctl(ETHTOOL_SRXCLSRLINS)',
    code: 'ENOSPC',
    hint: 'The table of flow rules is full: `ethtool -n IFACE` lists them',
  },
  {
    syscall: 'socket(AF_PACKET)',
    code: 'EPERM',
    hint: 'Promiscuous mode needs CAP_NET_RAW: run as root',
  },
  {
    syscall: 'open(/dev/net/tun)',
    code: 'ENOENT',
    hint: 'The tun driver is not loaded, or this container has no device for it: `modprobe tun` on the host, `mknod /dev/net/tun c 10 200` in the container',
  },
  {
    syscall: 'ioctl(TUNSETIFF)',
    code: 'EPERM',
    hint: 'Making a tap interface needs CAP_NET_ADMIN: run as root, or have root make one for you with `ip tuntap add IFACE mode tap user USER`',
  },
  {
    syscall: 'ioctl(TUNSETIFF)',
    code: 'EBUSY',
    hint: 'Another program, or this one, has the tap interface open already: close it there or choose another name',
  },
  {
    syscall: 'ioctl(TUNSETIFF)',
    code: 'EINVAL',
    hint: 'The interface of that name is no tap, or one of several queues: `ip -details link show IFACE` tells',
  },
  {
    syscall: 'readv(tap)',
    code: 'EBADFD',
    hint: 'The interface was removed: open the port again',
  },
  {
    syscall: 'netlink(RTM_NEWLINK)',
    code: 'EEXIST',
    hint: 'This network namespace has an interface of that name: `ip link` lists them',
  },
  {
    syscall: 'netlink(RTM_NEWROUTE)',
    code: 'ENETUNREACH',
    hint: 'The next hop is on no link that is up: `ip route` lists what is reachable',
  },
  {
    syscall: 'setsockopt(SO_PREFER_BUSY_POLL)',
    code: 'EPERM',
    hint: 'Preferred busy polling needs CAP_NET_ADMIN: run as root, or grant it with `setcap cap_net_admin+ep NODE`',
  },
  {
    syscall: 'setsockopt(SO_PREFER_BUSY_POLL)',
    code: 'ENOPROTOOPT',
    hint: 'This kernel was built without CONFIG_NET_RX_BUSY_POLL, or is older than Linux 5.11: `uname -r` tells',
  },
  {
    syscall: 'setsockopt(SO_BUSY_POLL_BUDGET)',
    code: 'EPERM',
    hint: 'A larger busy-poll budget needs CAP_NET_ADMIN: run as root, or grant it with `setcap cap_net_admin+ep NODE`',
  },
  {
    syscall: 'setsockopt(SO_BUSY_POLL_BUDGET)',
    code: 'EINVAL',
    hint: 'A busy-poll budget is at most 65535, and 64 is what drivers expect',
  },
  {
    syscall: 'netlink(NETDEV_CMD_NAPI_SET)',
    code: 'EPERM',
    hint: 'Settings of a NAPI need CAP_NET_ADMIN in the first user namespace: run as root of the host',
  },
  {
    syscall: 'fsopen(sysfs)',
    code: 'EPERM',
    hint: 'Settings of an interface that only sysfs has need CAP_SYS_ADMIN, to mount the sysfs of the network namespace: run as root',
  },
  {
    syscall: 'open(sysfs)',
    code: 'ENOENT',
    hint: 'The interface is gone from this network namespace, or this kernel lacks the setting (napi_defer_hard_irqs needs Linux 5.8): `ip link` and `uname -r` tell',
  },
  {
    syscall: 'sched_setaffinity',
    code: 'EINVAL',
    hint: 'The core is not there or not allowed for this process: `taskset -p $$` shows the allowed ones',
  },
  {
    syscall: 'sched_setscheduler',
    code: 'EPERM',
    hint: 'Real-time scheduling needs CAP_SYS_NICE or an rtprio limit: `ulimit -r`',
  },
  {
    syscall: 'bind(AF_UNIX)',
    code: 'EADDRINUSE',
    hint: 'Another program listens there, or the file is no socket: `ss -xlp` names it',
  },
  {
    syscall: 'bind(UDP)',
    code: 'EADDRINUSE',
    hint: 'Another socket has this port: `ss -ulnp` names it',
  },
  {
    syscall: 'bind(UDP)',
    code: 'EADDRNOTAVAIL',
    hint: 'No interface of this host has that address: `ip address` lists them',
  },
];

/** Returns the hint for a system call that ended in `code`, or undefined when the evidence fits no row. */
export function hintFor(syscall: string, code: string): string | undefined {
  return hints.find((row) => row.syscall === syscall && row.code === code)?.hint;
}
