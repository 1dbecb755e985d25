import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { benchCommand } from './bench.ts';
import { demoCommand } from './demo.ts';
import { gatewayCommand } from './gateway.ts';
import { loopCommands } from './loops.ts';
import { receiveCommand } from './receive.ts';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

if (process.env.BAREWIRE_LAUNCHER !== undefined) {
  const { dieWithParent } = await import('../sys/index.ts');
  dieWithParent();
}

// `barewire bench 2>&1 | head` has read enough: that is no error. Who has something to close hears of it as of Ctrl-C.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    if (!process.emit('SIGINT')) process.exit();
  });
}

const program = new Command('barewire')
  .description('Kernel-bypass networking for TypeScript')
  .version(manifest.version)
  .addCommand(demoCommand())
  .addCommand(receiveCommand())
  .addCommand(gatewayCommand())
  .addCommand(benchCommand());
for (const command of loopCommands()) program.addCommand(command);

try {
  await program.parseAsync();
} catch (error) {
  // What the user can mend says so in its message; the stack is for whoever mends Barewire.
  const debug = process.env.BAREWIRE_DEBUG !== undefined;
  console.error(error instanceof Error && !debug ? `barewire: ${error.message}` : error);
  process.exitCode = 1;
}
