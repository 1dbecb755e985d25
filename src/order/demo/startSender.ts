import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { siblingUrl } from '../../lane/index.ts';
import type { SenderOrders, SenderReport } from './sender.ts';

/** The order source, as a process of its own. */
export interface RunningSender {
  /** resolves with its report, rejects when it ends in any other way */
  readonly done: Promise<SenderReport>;
  /** Ends it at once. */
  kill(): void;
}

/** Starts the order source; it ends with this process, whatever happens to either. */
export function startSender(orders: SenderOrders): RunningSender {
  const { BAREWIRE_LAUNCHER: _, ...env } = process.env;
  const child = spawn(
    process.execPath,
    [fileURLToPath(siblingUrl(import.meta.url, './sender')), JSON.stringify(orders)],
    { stdio: ['ignore', 'pipe', 'pipe'], env },
  );
  let output = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  const done = new Promise<SenderReport>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve(JSON.parse(output) as SenderReport);
      else {
        const end = `Cannot go on with the demo: its order source ended with ${signal ?? `exit code ${code}`}`;
        reject(new Error(complaint === '' ? end : `${end}. ${complaint.trimEnd()}`));
      }
    });
  });
  return { done, kill: () => child.kill('SIGKILL') };
}
