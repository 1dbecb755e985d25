import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What is asked of tshark. */
const FIELDS = [
  'frame.time_epoch',
  'frame.cap_len',
  'frame.len',
  'frame.encap_type',
  'frame.protocols',
  'vlan.id',
  'ieee8021ad.id',
  'ieee8021ad.svid',
  'ip.hdr_len',
  'ip.len',
  'ip.flags.mf',
  'ip.frag_offset',
  'ip.proto',
  'ip.src',
  'ip.dst',
  'ip.checksum.status',
  'ipv6.plen',
  'ipv6.src',
  'ipv6.dst',
  'ipv6.routing.segleft',
  'ipv6.fraghdr.offset',
  'ipv6.fraghdr.more',
  'udp.srcport',
  'udp.dstport',
  'udp.length',
  'udp.checksum.status',
  'udp.payload',
  '_ws.expert.message',
] as const;

const COMPLAINTS = '_ws.expert.message';

/**
 * What tshark says of a frame, as text, empty where it says nothing: the first occurrence of each field, so that of the
 * outermost header; of its complaints all.
 */
export type TsharkFrame = Readonly<Record<(typeof FIELDS)[number], string>>;

// Dissect each frame alone and verify what it carries; by default tshark reassembles fragments, skips checksums
// and takes an IPv4 total length of 0 for segmentation offload.
const PREFERENCES = [
  'ip.defragment:FALSE',
  'ipv6.defragment:FALSE',
  'ip.tso_support:FALSE',
  'ip.check_checksum:TRUE',
  'udp.check_checksum:TRUE',
];

/**
 * Reads captures with tshark and returns its frames, file by file.
 *
 * tshark takes a quarter of a second to start, so mergecap (of the same package) puts all files into one first; capinfos
 * says how many frames each of them has.
 */
export async function readWithTshark(tshark: string, files: readonly string[]): Promise<TsharkFrame[][]> {
  const beside = (name: string): string => join(dirname(tshark), name);
  const folder = await mkdtemp(join(tmpdir(), 'barewire-tshark-'));
  try {
    const merged = join(folder, 'merged.pcapng');
    await run(beside('mergecap'), ['-a', '-F', 'pcapng', '-w', merged, ...files]);
    const counts = (await run(beside('capinfos'), ['-T', '-r', '-M', '-c', ...files])).stdout;
    const frames = await dissect(tshark, merged);
    return lines(counts).map((line) => frames.splice(0, Number(line.split('\t')[1])));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function dissect(tshark: string, file: string): Promise<TsharkFrame[]> {
  const shape = ['-T', 'fields', '-E', 'occurrence=a', '-E', 'aggregator=;', '-E', 'separator=/t'];
  const args = ['-n', '-r', file, ...shape, ...PREFERENCES.flatMap((preference) => ['-o', preference])];
  const { stdout } = await run(tshark, [...args, ...FIELDS.flatMap((field) => ['-e', field])], {
    maxBuffer: 2 ** 30,
  });
  return lines(stdout).map((line) => {
    const values = line.split('\t');
    const first = (i: number): string => (values[i] ?? '').replace(/;.*/, '');
    const fields = FIELDS.map((field, i) => [field, field === COMPLAINTS ? values[i] : first(i)]);
    return Object.fromEntries(fields) as TsharkFrame;
  });
}

/** Reads one capture and returns how many frames tshark found, and whether it found nothing wrong with the file. */
export async function countWithTshark(
  tshark: string,
  file: string,
): Promise<{ frames: number; ok: boolean }> {
  try {
    const { stdout } = await run(tshark, ['-n', '-r', file, '-T', 'fields', '-e', 'frame.number']);
    return { frames: lines(stdout).length, ok: true };
  } catch (error) {
    const { stdout } = error as { stdout?: string };
    if (stdout === undefined) throw error;
    return { frames: lines(stdout).length, ok: false };
  }
}

function lines(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}
