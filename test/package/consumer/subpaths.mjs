// Imports every subpath of the installed package and prints how many names each gives.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const manifest = JSON.parse(
  readFileSync(fileURLToPath(import.meta.resolve('barewire/package.json')), 'utf8'),
);
const counts = {};
for (const subpath of Object.keys(manifest.exports)) {
  if (subpath === './package.json') continue;
  counts[subpath] = Object.keys(await import(`barewire${subpath.slice(1)}`)).length;
}
console.log(JSON.stringify(counts));
