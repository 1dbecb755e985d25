import { readFileSync } from 'node:fs';
import { Command } from 'commander';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('barewire')
  .description('Kernel-bypass networking for TypeScript')
  .version(manifest.version);

await program.parseAsync();
