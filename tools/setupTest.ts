import { spawnSync } from 'node:child_process';
import { DEBIAN_TOOLS, findTool } from '../test/support/debianTools.ts';

// `npm run setup:test`: installs the Debian programs that only tests use. Does nothing when they are all there.

const missing = Object.entries(DEBIAN_TOOLS).filter(([name]) => findTool(name) === undefined);
for (const [name, { package: from, why }] of Object.entries(DEBIAN_TOOLS)) {
  const mark = missing.some(([absent]) => absent === name) ? '+' : '✓';
  console.log(`${mark} ${name.padEnd(13)} ${from.padEnd(11)} ${why}`);
}
if (missing.length > 0) process.exitCode = install([...new Set(missing.map(([, tool]) => tool.package))]);

/** Installs Debian packages with apt-get, or says which command does. @returns an exit code */
function install(packages: readonly string[]): number {
  const command = `apt-get install -y --no-install-recommends ${packages.join(' ')}`;
  if (findTool('apt-get') === undefined) {
    console.error(`Cannot install ${packages.join(', ')}: no apt-get here. Install them your system's way`);
    return 1;
  }
  if (process.geteuid?.() !== 0) {
    console.error(
      `Cannot install ${packages.join(', ')}: not root. Run: sudo apt-get update && sudo ${command}`,
    );
    return 1;
  }
  return run('apt-get update') || run(command);
}

function run(command: string): number {
  console.log(`> ${command}`);
  const [program, ...args] = command.split(' ');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync(program!, args, { env, stdio: 'inherit' }).status ?? 1;
}
