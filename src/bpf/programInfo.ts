import { libc } from '../ffi/index.ts';
import { Fd, SystemError } from '../sys/index.ts';
import * as k from '../sys/uapi/index.ts';
import { BpfStruct, bpf } from './bpfCall.ts';

/** What the kernel tells of a loaded program. */
export interface ProgramInfo {
  readonly id: number;
  readonly name: string;
  /** hash of its instructions [16 hexadecimal digits] */
  readonly tag: string;
  /** by the wall clock */
  readonly wallLoadedAt: Date;
  readonly createdByUid: number;
  /** ids of the maps that it uses */
  readonly mapIds: readonly number[];
}

const CLOCK_BOOTTIME = 7;
const MAX_USED_MAPS = 64;

/**
 * Returns what the kernel tells of the program with `id`, whoever loaded it.
 *
 * @throws SystemError ENOENT when there is none, EPERM without CAP_SYS_ADMIN
 */
export function programInfo(id: number): ProgramInfo {
  using fd = openProgram(id);
  return programInfoOf(fd.fd);
}

/** Opens the program with `id`, whoever loaded it. @throws SystemError as {@link programInfo} */
export function openProgram(id: number): Fd {
  const attr = new BpfStruct(k.bpf_attr_get_id.sizeof);
  attr.set(k.bpf_attr_get_id.prog_id, id);
  const result = bpf(k.BPF_PROG_GET_FD_BY_ID, attr);
  if (result < 0) {
    throw new SystemError('Cannot open BPF program', {
      syscall: 'bpf(BPF_PROG_GET_FD_BY_ID)',
      errno: -result,
      subject: String(id),
    });
  }
  return new Fd(result, `BPF program ${id}`);
}

/** Returns what the kernel tells of the program that descriptor `fd` stands for. */
export function programInfoOf(fd: number): ProgramInfo {
  const info = new BpfStruct(k.bpf_prog_info.sizeof);
  const mapIds = new Uint32Array(MAX_USED_MAPS);
  info.set(k.bpf_prog_info.nr_map_ids, mapIds.length);
  info.point(k.bpf_prog_info.map_ids, mapIds);
  readObjectInfo(fd, info, 'BPF program');
  const tag = new Uint8Array(info.view.buffer, k.bpf_prog_info.tag, k.BPF_TAG_SIZE);
  const sinceBootNs = Number(info.view.getBigUint64(k.bpf_prog_info.load_time, true));
  return {
    id: info.get(k.bpf_prog_info.id),
    name: info.getName(k.bpf_prog_info.name),
    tag: Buffer.from(tag).toString('hex'),
    wallLoadedAt: new Date(Date.now() - (clockNs(CLOCK_BOOTTIME) - sinceBootNs) / 1e6),
    createdByUid: info.get(k.bpf_prog_info.created_by_uid),
    mapIds: [...mapIds.subarray(0, info.get(k.bpf_prog_info.nr_map_ids))],
  };
}

/** Has the kernel fill in `info` about the object that descriptor `fd` stands for. */
export function readObjectInfo(fd: number, info: BpfStruct, subject: string): void {
  const attr = new BpfStruct(k.bpf_attr_info.sizeof);
  attr.set(k.bpf_attr_info.bpf_fd, fd);
  attr.set(k.bpf_attr_info.info_len, info.view.byteLength);
  attr.point(k.bpf_attr_info.info, info.view);
  const result = bpf(k.BPF_OBJ_GET_INFO_BY_FD, attr);
  info.release();
  if (result < 0) {
    throw new SystemError('Cannot ask about', {
      syscall: 'bpf(BPF_OBJ_GET_INFO_BY_FD)',
      errno: -result,
      subject,
    });
  }
}

function clockNs(clock: number): number {
  const time = new BigInt64Array(2);
  libc.clockGettime(clock, time);
  return Number(time[0]! * 1_000_000_000n + time[1]!);
}
