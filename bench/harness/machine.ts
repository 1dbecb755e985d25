import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release } from 'node:os';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Describes in one line where and of what figures were measured; they say nothing about another machine. */
export function describeMachine(): string {
  const cores = availableParallelism();
  return [
    `${cpus()[0]?.model ?? 'unknown processor'}, ${cores} ${cores === 1 ? 'core' : 'cores'}${isVirtual() ? ' of a virtual machine' : ''}`,
    `Linux ${release()}`,
    `Node ${process.versions.node}`,
    `load ${loadavg()[0]!.toFixed(2)}`,
    version(),
  ].join(' · ');
}

/** The processor's own word for it, the same on every hypervisor that does not hide. */
function isVirtual(): boolean {
  return /^flags\s*:.*\bhypervisor\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'));
}

/** The commit in a checkout, with `-dirty` when files differ from it; the version in a package. */
function version(): string {
  if (existsSync(`${root}.git`)) {
    const { status, stdout } = spawnSync(
      'git',
      ['-c', 'safe.directory=*', 'describe', '--always', '--dirty', '--exclude=*'],
      {
        cwd: root,
        encoding: 'utf8',
      },
    );
    if (status === 0) return `commit ${stdout.trim()}`;
  }
  const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string };
  return `version ${version}`;
}
