import { libc } from '../ffi/index.ts';
import { SystemError } from '../sys/index.ts';
import { SOL_XDP, XDP_STATISTICS } from '../sys/uapi/index.ts';

/** Indexes of a socket's own counters, in a Float64Array with a single writer. */
export const XdpCounter = {
  /** frames received */
  rxFrames: 0,
  /** bytes received */
  rxBytes: 1,
  /** calls of rx() that brought frames */
  rxBursts: 2,
  /** frames put on the tx ring */
  txFrames: 3,
  /** bytes put on the tx ring */
  txBytes: 4,
  /** chunks that came back over the completion ring */
  txCompleted: 5,
  /** descriptors that tx() left with the caller because the tx ring was full */
  txRefused: 6,
  /** system calls made to wake the transmitter */
  txWakeups: 7,
  /** system calls made to wake the receiver */
  rxWakeups: 8,
  /** wake-ups of the transmitter that the kernel could not follow at the time */
  txBusy: 9,
  /** times we found the fill ring with less than an eighth of its chunks */
  fillLow: 10,
  /** system calls made to have the driver polled from this thread */
  busyPolls: 11,
} as const;

/** How many counters {@link XdpCounter} has. */
export const XDP_COUNTERS: number = Object.keys(XdpCounter).length;

/** What a socket counted since it was opened: the kernel's XDP_STATISTICS and our own. */
export interface XdpStatistics {
  /** frames dropped because there was no chunk, or the frame did not fit into one */
  rxDropped: number;
  /** refused descriptors of the receiving side; Linux 6.18 counts none: it looks at the rx ring for the fill ring's */
  rxInvalidDescs: number;
  /** tx ring entries the kernel refused */
  txInvalidDescs: number;
  /** frames dropped because we had not emptied the rx ring */
  rxRingFull: number;
  /** times the kernel found the fill ring empty */
  rxFillRingEmpty: number;
  /** times the kernel found the tx ring empty */
  txRingEmpty: number;
  rxFrames: number;
  rxBytes: number;
  rxBursts: number;
  txFrames: number;
  txBytes: number;
  txCompleted: number;
  txRefused: number;
  txWakeups: number;
  rxWakeups: number;
  txBusy: number;
  fillLow: number;
  busyPolls: number;
}

const statisticsLen = new Uint32Array(1);

/** Reads XDP_STATISTICS of the socket `fd` and joins `counters`. @source linux/if_xdp.h, struct xdp_statistics */
export function readStatistics(fd: number, counters: Float64Array): XdpStatistics {
  const kernel = new BigUint64Array(6);
  statisticsLen[0] = kernel.byteLength;
  if (libc.getsockopt(fd, SOL_XDP, XDP_STATISTICS, kernel, statisticsLen) < 0) {
    throw new SystemError('Cannot read AF_XDP statistics', { syscall: 'getsockopt(XDP_STATISTICS)' });
  }
  const own = {} as Record<keyof typeof XdpCounter, number>;
  for (const name of Object.keys(XdpCounter) as (keyof typeof XdpCounter)[]) {
    own[name] = counters[XdpCounter[name]]!;
  }
  return {
    rxDropped: Number(kernel[0]),
    rxInvalidDescs: Number(kernel[1]),
    txInvalidDescs: Number(kernel[2]),
    rxRingFull: Number(kernel[3]),
    rxFillRingEmpty: Number(kernel[4]),
    txRingEmpty: Number(kernel[5]),
    ...own,
  };
}
