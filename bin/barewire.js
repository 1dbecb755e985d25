#!/usr/bin/env node
// The command `barewire` of a source checkout; `npm run build` writes the package's own (see tools/build.ts).

import { fileURLToPath } from 'node:url';
import { launch, runsTypeScript } from './launch.js';

const main = new URL('../src/cli/main.ts', import.meta.url);

if (runsTypeScript) {
  delete process.env.BAREWIRE_LAUNCHER;
  await import(main.href);
} else {
  launch([fileURLToPath(main), ...process.argv.slice(2)], { followed: true });
}
