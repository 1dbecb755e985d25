import { readFileSync, writeSync } from 'node:fs';
import { run } from 'node:test';
import { inspect } from 'node:util';
import type { GuestTask } from '../initramfs.ts';
import type { GuestEvent } from './events.ts';

// Runs inside the virtual machine: the test files of the task with Node's own runner, in this process, since starting
// Node takes seconds there. Every result is a line of JSON on standard output, which is the machine's serial line.

const { files, env } = JSON.parse(readFileSync('/task.json', 'utf8')) as GuestTask;
Object.assign(process.env, env);
report({ event: 'started', kernel: readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim() });

let ended = false;
for await (const { type, data } of run({ files: [...files], isolation: 'none' })) {
  // Behind the plan of the root come the runner's own sums, which the host counts itself.
  ended ||= type === 'test:plan' && data.nesting === 0;
  if (type === 'test:dequeue') report({ event: 'begin', nesting: data.nesting, name: data.name });
  if (type === 'test:diagnostic' && !ended)
    report({ event: 'note', nesting: data.nesting, text: data.message });
  if (type === 'test:pass' || type === 'test:fail') {
    const { nesting, name, skip = false } = data;
    const error = type === 'test:fail' ? explain(data.details.error.cause ?? data.details.error) : null;
    report({ event: 'end', nesting, name, skip, error, durationMs: data.details.duration_ms });
  }
}
report({ event: 'finished' });

/** An error with its stack, and that of the error which it hid when something failed to close. */
function explain(error: unknown): string {
  return error instanceof SuppressedError
    ? `${explain(error.suppressed)}\nand then: ${explain(error.error)}`
    : inspect(error);
}

function report(event: GuestEvent): void {
  const line = Buffer.from(`${JSON.stringify(event)}\n`);
  for (let at = 0; at < line.length; ) at += writeSync(1, line, at);
}
