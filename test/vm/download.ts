import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findTool } from '../support/debianTools.ts';
import {
  KERNELS,
  type KernelFlavour,
  readVmManifest,
  VM_HOME,
  VM_MANIFEST,
  VM_ROOT,
  type VmManifest,
} from './packages.ts';
import { qemuVersion } from './qemu.ts';

// Debian packages for the virtual machine, downloaded and unpacked, never installed: apt runs with a configuration,
// lists and a cache of its own under VM_HOME, so neither root nor a change to the system is needed. The system's own
// apt configuration says which mirror to ask; of the system's packages, those that are installed are not fetched again.

/** The release whose backports have a guest kernel that binds virtio zero-copy (6.12 does not). */
const KERNEL_SUITE = 'trixie-backports';
/** NB: QEMU 7.2, bookworm's own, crashes guests at random under TCG; backports have 10.0. */
const QEMU_PACKAGES = ['qemu-system-x86', 'qemu-system-common', 'qemu-system-data', 'seabios'];

/** A mirror that hangs is given up after so long. */
const STEP_TIMEOUT_MS = 300_000;

const APT_HOME = join(VM_HOME, 'apt');
const LISTS = join(APT_HOME, 'sources.list');
const ARCHIVES = join(APT_HOME, 'archives');
const PRIVATE_APT: readonly string[] = [
  `Dir::State=${join(APT_HOME, 'state')}`,
  'Dir::State::status=/var/lib/dpkg/status',
  `Dir::Cache=${APT_HOME}`,
  `Dir::Cache::archives=${ARCHIVES}`,
  'Dir::Etc::preferences=/dev/null',
  'Dir::Etc::preferencesparts=/dev/null',
  // Nothing of the system's is changed, and its lock is root's.
  'Debug::NoLocking=true',
  // The user that apt drops to may not enter a home folder.
  'APT::Sandbox::User=root',
];
const PRIVATE_SOURCES: readonly string[] = [
  ...PRIVATE_APT,
  `Dir::Etc::sourcelist=${LISTS}`,
  'Dir::Etc::sourceparts=/dev/null',
  'APT::Update::Error-Mode=any',
];

/**
 * Downloads and unpacks QEMU, busybox and a guest kernel of each flavour into VM_HOME; does nothing when they are there.
 *
 * @returns what is there
 * @throws Error which step failed, with what apt said
 */
export function setUpVm(flavours: readonly KernelFlavour[], log: (line: string) => void): VmManifest {
  const present = readUsable();
  const wanted = flavours.filter((flavour) => present?.kernels[flavour] === undefined);
  if (present !== undefined && wanted.length === 0) return present;
  const lacking = ['apt-get', 'apt-cache', 'dpkg-deb'].filter((name) => findTool(name) === undefined);
  if (lacking.length > 0) throw new Error(`no ${lacking.join(', ')} here, and it takes Debian's packages`);

  log('reads the package lists of this release, of its backports and of the kernel');
  rmSync(APT_HOME, { recursive: true, force: true });
  mkdirSync(join(ARCHIVES, 'partial'), { recursive: true });
  mkdirSync(join(APT_HOME, 'state', 'lists', 'partial'), { recursive: true });
  const release = writeSources();
  if (present === undefined) downloadQemu(release, log);
  const kernels = { ...present?.kernels };
  for (const flavour of wanted) kernels[flavour] = downloadKernel(flavour, log);

  if (present === undefined) {
    rmSync(VM_MANIFEST, { force: true });
    rmSync(VM_ROOT, { recursive: true, force: true });
  }
  const packages = { ...present?.packages, ...unpack() };
  log(`starts ${qemuVersion()}`);
  const manifest = { packages, kernels };
  writeFileSync(VM_MANIFEST, `${JSON.stringify(manifest, null, 2)}\n`);
  rmSync(APT_HOME, { recursive: true });
  return manifest;
}

/** What is there, unless QEMU no longer starts: a library that the system had then may be gone. */
function readUsable(): VmManifest | undefined {
  try {
    const manifest = readVmManifest();
    if (manifest !== undefined) qemuVersion();
    return manifest;
  } catch {
    return undefined;
  }
}

/** Writes a sources.list of our own: the Debian archives of this system, and backports from the same mirror. */
function writeSources(): string {
  apt('apt-get', PRIVATE_APT, ['update']);
  const format = '$(CREATED_BY) $(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)';
  const archives = apt('apt-get', PRIVATE_APT, ['indextargets', '--format', format])
    .split('\n')
    .map((line) => line.split(' '))
    .filter(
      ([by, origin, , , component]) => by === 'Packages' && origin === 'Debian' && component === 'main',
    );
  // The archive of the release itself, not its updates or security: `bookworm`, whose mirror has the backports too.
  const main = archives.find(([, , , release]) => /^[a-z]+$/.test(release!));
  if (main === undefined) throw new Error("apt reaches no mirror of Debian, and it takes Debian's packages");
  const [, , mirror, release] = main;
  const lines = [
    ...archives.map(([, , uri, suite]) => [uri, suite]),
    [mirror, `${release}-backports`],
    [mirror, KERNEL_SUITE],
  ].map(([uri, suite]) => `deb ${uri} ${suite} main\n`);
  writeFileSync(LISTS, [...new Set(lines)].join(''));
  apt('apt-get', PRIVATE_SOURCES, ['update']);
  return release!;
}

function downloadQemu(release: string, log: (line: string) => void): void {
  log('downloads QEMU with the libraries that it needs and this system lacks, and busybox');
  const suite = `${release}-backports`;
  // --reinstall: also what the system has itself, since it is looked for in VM_ROOT alone.
  const options = ['--yes', '--download-only', '--reinstall', '--no-install-recommends'];
  apt('apt-get', PRIVATE_SOURCES, ['install', ...options, `--target-release=${suite}`, ...QEMU_PACKAGES]);
  download(release, ['busybox-static']);
}

/**
 * Downloads the packages with the binary and the modules of the kernel that a meta package stands for.
 *
 * @returns the kernel's release, as `uname -r` prints it
 */
function downloadKernel(flavour: KernelFlavour, log: (line: string) => void): string {
  const meta = KERNELS[flavour];
  const options = [...PRIVATE_SOURCES, `APT::Default-Release=${KERNEL_SUITE}`];
  const all = apt('apt-cache', options, ['depends', '--recurse', '--important', meta]).split('\n');
  // `linux-image-7.3.4+deb13-cloud-amd64` and its parts; the names end like the meta package's.
  const ending = meta.replace('linux-image', '');
  const parts = all.filter((name) => /^linux-(image|binary|modules)-\d/.test(name) && name.endsWith(ending));
  const image = parts.find((name) => name.startsWith('linux-image-'));
  if (image === undefined) throw new Error(`${meta} of ${KERNEL_SUITE} depends on no kernel`);
  log(`downloads ${image}`);
  download(KERNEL_SUITE, parts);
  return image.replace('linux-image-', '');
}

function download(suite: string, packages: readonly string[]): void {
  const options = [...PRIVATE_SOURCES, `APT::Default-Release=${suite}`];
  apt('apt-get', options, ['download', ...packages], ARCHIVES);
}

/** Unpacks all archives into VM_ROOT. @returns their versions */
function unpack(): Record<string, string> {
  mkdirSync(VM_ROOT, { recursive: true });
  const versions: Record<string, string> = {};
  for (const path of globSync(join(ARCHIVES, '*.deb'))) {
    run('dpkg-deb', ['--extract', path, VM_ROOT]);
    const fields = run('dpkg-deb', ['--field', path, 'Package', 'Version']);
    const [, name, version] = /^Package: (.*)\nVersion: (.*)$/m.exec(fields)!;
    versions[name!] = version!;
  }
  return versions;
}

/** Runs an apt program with options of its configuration, `NAME=VALUE` each. @returns what it printed */
function apt(program: string, options: readonly string[], args: readonly string[], cwd?: string): string {
  return run(program, [...options.flatMap((option) => ['-o', option]), '-q', ...args], cwd);
}

function run(program: string, args: readonly string[], cwd: string = VM_HOME): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1 << 28,
    timeout: STEP_TIMEOUT_MS,
  });
  if (status === 0) return stdout;
  const said = error?.message ?? stderr.trim().split('\n').slice(-5).join('\n');
  const command = args.filter((arg, i) => arg !== '-o' && args[i - 1] !== '-o').join(' ');
  throw new Error(`${program} ${command}: ${said}`);
}
