import { addressOf, libc } from '../ffi/index.ts';
import { check, SystemError } from './error.ts';
import { Fd } from './fd.ts';
import { checkLinkName } from './netlink/index.ts';
import {
  AF_INET,
  ETHTOOL_GCHANNELS,
  ETHTOOL_GDRVINFO,
  ETHTOOL_GRINGPARAM,
  ETHTOOL_SCHANNELS,
  ethtool_channels,
  ethtool_drvinfo,
  ethtool_ringparam,
  ifreq,
  SIOCETHTOOL,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
} from './uapi/index.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A command of ethtool, and what to say when it fails. */
export interface EthtoolCommand {
  /** `ETHTOOL_GCHANNELS`, … */
  readonly command: number;
  readonly syscall: string;
  readonly action: string;
}

/**
 * Sends one ethtool request to an interface of the calling thread's namespace; the kernel answers in `request`.
 *
 * @param request - the command's struct, whose first word this function writes
 * @throws SystemError EOPNOTSUPP when the driver does not know the command, ENODEV when the interface is missing
 * @source linux/ethtool.h, linux/sockios.h SIOCETHTOOL
 */
export function ethtool(name: string, what: EthtoolCommand, request: DataView<ArrayBuffer>): void {
  using socket = openEthtool();
  ethtoolOn(socket, name, what, request);
}

/** Opens a socket for {@link ethtoolOn}: it belongs for ever to the namespace in which it was opened. */
export function openEthtool(): Fd {
  const fd = libc.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  return new Fd(check(fd, 'Cannot open socket for ethtool', 'socket(AF_INET)'), 'ethtool socket');
}

/** {@link ethtool} in the namespace of a socket. */
export function ethtoolOn(
  socket: Fd,
  name: string,
  what: EthtoolCommand,
  request: DataView<ArrayBuffer>,
): void {
  request.setUint32(0, what.command, true);
  const envelope = new DataView(new ArrayBuffer(ifreq.sizeof));
  new Uint8Array(envelope.buffer).set(encoder.encode(checkLinkName(name)), ifreq.ifr_ifrn);
  envelope.setBigUint64(ifreq.ifr_ifru, BigInt(addressOf(request)), true);
  check(libc.ioctl(socket.fd, SIOCETHTOOL, envelope), what.action, what.syscall, name);
}

const GDRVINFO: EthtoolCommand = {
  command: ETHTOOL_GDRVINFO,
  syscall: 'ioctl(ETHTOOL_GDRVINFO)',
  action: 'Cannot read driver of',
};
const GCHANNELS: EthtoolCommand = {
  command: ETHTOOL_GCHANNELS,
  syscall: 'ioctl(ETHTOOL_GCHANNELS)',
  action: 'Cannot read channels of',
};
const SCHANNELS: EthtoolCommand = {
  command: ETHTOOL_SCHANNELS,
  syscall: 'ioctl(ETHTOOL_SCHANNELS)',
  action: 'Cannot change channels of',
};
const GRINGPARAM: EthtoolCommand = {
  command: ETHTOOL_GRINGPARAM,
  syscall: 'ioctl(ETHTOOL_GRINGPARAM)',
  action: 'Cannot read ring sizes of',
};

/** Runs an ethtool request; undefined when the driver does not know it. */
export function optional<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (error instanceof SystemError && error.code === 'EOPNOTSUPP') return undefined;
    throw error;
  }
}

/** Who drives an interface. */
export interface Driver {
  /** `veth`, `ixgbe`, … */
  readonly name: string;
  /** the driver's or the kernel's */
  readonly version: string;
  readonly firmware: string;
  /** `0000:00:05.0`; empty without a bus */
  readonly bus: string;
}

/** Returns the driver of an interface, or undefined when it has none. @throws SystemError ENODEV when it is missing */
export function driver(name: string): Driver | undefined {
  const info = new DataView(new ArrayBuffer(ethtool_drvinfo.sizeof));
  const text = (offset: number): string => {
    const bytes = new Uint8Array(info.buffer, offset, 32);
    const end = bytes.indexOf(0);
    return decoder.decode(bytes.subarray(0, end < 0 ? 32 : end));
  };
  return optional(() => {
    ethtool(name, GDRVINFO, info);
    return {
      name: text(ethtool_drvinfo.driver),
      version: text(ethtool_drvinfo.version),
      firmware: text(ethtool_drvinfo.fw_version),
      bus: text(ethtool_drvinfo.bus_info),
    };
  });
}

/** How many nicQueues are in use: those of one direction and those that serve both. */
export interface ChannelCounts {
  readonly rx: number;
  readonly tx: number;
  readonly combined: number;
}

/** The nicQueues in use, and how many the device can have. */
export interface Channels extends ChannelCounts {
  readonly max: ChannelCounts;
}

/** Returns the channels of an interface, or undefined when its driver tells none. @throws SystemError ENODEV */
export function channels(name: string): Channels | undefined {
  const info = new DataView(new ArrayBuffer(ethtool_channels.sizeof));
  const u32 = (offset: number): number => info.getUint32(offset, true);
  return optional(() => {
    ethtool(name, GCHANNELS, info);
    return {
      rx: u32(ethtool_channels.rx_count),
      tx: u32(ethtool_channels.tx_count),
      combined: u32(ethtool_channels.combined_count),
      max: {
        rx: u32(ethtool_channels.max_rx),
        tx: u32(ethtool_channels.max_tx),
        combined: u32(ethtool_channels.max_combined),
      },
    };
  });
}

/** Changes how many nicQueues an interface uses; what is absent stays. @throws SystemError EINVAL beyond its maximum */
export function setChannels(name: string, counts: Partial<ChannelCounts>): void {
  const info = new DataView(new ArrayBuffer(ethtool_channels.sizeof));
  ethtool(name, GCHANNELS, info);
  const put = (offset: number, count: number | undefined): void => {
    if (count !== undefined) info.setUint32(offset, count, true);
  };
  put(ethtool_channels.rx_count, counts.rx);
  put(ethtool_channels.tx_count, counts.tx);
  put(ethtool_channels.combined_count, counts.combined);
  ethtool(name, SCHANNELS, info);
}

/** How many descriptors the device's own rings hold. */
export interface DeviceRings {
  readonly rx: number;
  readonly tx: number;
  readonly max: { readonly rx: number; readonly tx: number };
}

/** Returns the sizes of a device's rings, or undefined when its driver tells none. @throws SystemError ENODEV */
export function deviceRings(name: string): DeviceRings | undefined {
  const info = new DataView(new ArrayBuffer(ethtool_ringparam.sizeof));
  const u32 = (offset: number): number => info.getUint32(offset, true);
  return optional(() => {
    ethtool(name, GRINGPARAM, info);
    return {
      rx: u32(ethtool_ringparam.rx_pending),
      tx: u32(ethtool_ringparam.tx_pending),
      max: { rx: u32(ethtool_ringparam.rx_max_pending), tx: u32(ethtool_ringparam.tx_max_pending) },
    };
  });
}
