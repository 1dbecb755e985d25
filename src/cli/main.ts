import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { benchCommand } from './bench.ts';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('barewire')
  .description('Kernel-bypass networking for TypeScript')
  .version(manifest.version)
  .addCommand(benchCommand());

await program.parseAsync();
