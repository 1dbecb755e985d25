import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { siblingUrl } from '../../lane/index.ts';
import type { LeadInReport, SenderOrders, SenderReport } from './sender.ts';

/** The order source, as a process of its own. */
export interface RunningSender {
  /** resolves when its lead-in has left, to how many orders that were; rejects when it ended before */
  readonly leadIn: Promise<number>;
  /** resolves with its report, rejects when it ends in any other way */
  readonly done: Promise<SenderReport>;
  /** Has it send the flow, behind its lead-in. */
  go(): void;
  /** Ends it at once. */
  kill(): void;
}

/** Starts the order source; it ends with this process, whatever happens to either. */
export function startSender(orders: SenderOrders): RunningSender {
  const { BAREWIRE_LAUNCHER: _, ...env } = process.env;
  const child = spawn(
    process.execPath,
    [fileURLToPath(siblingUrl(import.meta.url, './sender')), JSON.stringify(orders)],
    { stdio: ['pipe', 'pipe', 'pipe'], env },
  );
  const leadIn = Promise.withResolvers<number>();
  let output = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    const [first, rest] = output.split('\n', 2);
    if (rest !== undefined) leadIn.resolve((JSON.parse(first!) as LeadInReport).leadIn);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  // A sender that is gone has said so: there is nobody to tell that it no longer listens.
  child.stdin.on('error', () => {});
  const done = new Promise<SenderReport>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve(JSON.parse(output.trimEnd().split('\n').at(-1)!) as SenderReport);
      else {
        const end = `Cannot go on with the demo: its order source ended with ${signal ?? `exit code ${code}`}`;
        reject(new Error(complaint === '' ? end : `${end}. ${complaint.trimEnd()}`));
      }
    });
  });
  done.catch(leadIn.reject);
  leadIn.promise.catch(() => {});
  return {
    leadIn: leadIn.promise,
    done,
    go: () => child.stdin.end('go\n'),
    kill: () => child.kill('SIGKILL'),
  };
}
