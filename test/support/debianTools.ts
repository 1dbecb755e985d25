import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A program that only tests use, the Debian package that has it, and what for. */
export interface DebianTool {
  readonly package: string;
  readonly why: string;
}

/** The name of a program that only tests use. */
export type DebianToolName =
  | 'tshark'
  | 'tcpdump'
  | 'llvm-objdump'
  | 'ip'
  | 'ethtool'
  | 'setpriv'
  | 'dpdk-testpmd';

/** Programs that only tests use. `npm run setup:test` installs them; without one, the tests that need it skip. */
export const DEBIAN_TOOLS: Readonly<Record<DebianToolName, DebianTool>> = {
  tshark: { package: 'tshark', why: 'a second opinion on what the wire parsers read' },
  tcpdump: { package: 'tcpdump', why: 'a second opinion on packet filters and captures' },
  'llvm-objdump': { package: 'llvm', why: 'a second opinion on assembled BPF instructions' },
  ip: { package: 'iproute2', why: 'a second opinion on interfaces, addresses and attached programs' },
  ethtool: { package: 'ethtool', why: 'a second opinion on queues, rings and offloads' },
  setpriv: { package: 'util-linux', why: 'runs the unprivileged cases as another user' },
  'dpdk-testpmd': { package: 'dpdk-dev', why: 'a C program over AF_XDP, beside which ours is measured' },
};

/** Returns the path of a program on PATH or where Debian keeps programs for root, or undefined. */
export function findTool(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
