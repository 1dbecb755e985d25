import { existsSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DEBIAN_TOOLS, type DebianToolName, findTool } from './debianTools.ts';

// What a test needs beyond Node. Each function says whether it is there; when it is not, the test is marked as
// skipped with the reason and has to return, or, under REQUIRE_PRIVILEGED=1, fails with that reason:
//
//   if (!requireRoot(t)) return;
//   const tshark = requireTool(t, 'tshark');
//   if (tshark === undefined) return;

const SHARED_DATA = fileURLToPath(new URL('../../../shared/data', import.meta.url));

/** Asks for root: network namespaces, BPF and AF_XDP need it. */
export function requireRoot(t: TestContext): boolean {
  return process.geteuid?.() === 0 || miss(t, 'needs root: run the tests with sudo');
}

/** Asks for a program that only tests use. @returns its path, or undefined when it is absent */
export function requireTool(t: TestContext, name: DebianToolName): string | undefined {
  const path = findTool(name);
  if (path === undefined)
    miss(t, `needs ${name} (Debian: ${DEBIAN_TOOLS[name].package}): npm run setup:test`);
  return path;
}

/** Asks for the captures and vectors kept beside the checkout. @returns their folder, or undefined when it is absent */
export function requireSharedData(t: TestContext): string | undefined {
  if (existsSync(SHARED_DATA)) return SHARED_DATA;
  miss(t, 'needs the folder shared/data beside the checkout');
  return undefined;
}

/** Skips the test with a reason, or fails it under REQUIRE_PRIVILEGED=1. @returns false */
export function miss(t: TestContext, reason: string): false {
  if (process.env.REQUIRE_PRIVILEGED === '1')
    throw new Error(`REQUIRE_PRIVILEGED=1, but this test ${reason}`);
  t.skip(reason);
  return false;
}
