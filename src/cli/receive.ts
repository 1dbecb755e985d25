import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import type { IdleName } from '../lane/index.ts';
import { duration, reasons, whole } from './columns.ts';
import { LinkWatch } from './linkWatch.ts';
import { portNumber, positiveNumber, wholeNumber } from './numbers.ts';
import { StatusLine } from './statusLine.ts';

interface ReceiveFlags {
  via: string;
  port: number;
  core?: number;
  idle: IdleName;
  seconds?: number;
  orders: number;
  strict?: boolean;
  json?: boolean;
}

/** Builds `barewire receive`: the receiver and book of the demo, on an interface of the user's. */
export function receiveCommand(): Command {
  return new Command('receive')
    .description(
      'receive orders on an interface into an order book, until interrupted or at the end of a capture',
    )
    .requiredOption('--via <spec>', 'where from: xdp:IFACE, udp: for a socket of the kernel, pcap:FILE, …')
    .addOption(new Option('--port <port>', 'UDP destination port').argParser(portNumber).default(9000))
    .addOption(new Option('--core <core>', 'core to pin the receiver to').argParser(wholeNumber))
    .addOption(
      new Option('--idle <strategy>', 'what to do when nothing arrives')
        .choices(['busySpin', 'yield', 'backoff', 'block'])
        .default('block'),
    )
    .addOption(new Option('--seconds <seconds>', 'stop after so long').argParser(positiveNumber))
    .addOption(
      new Option('--orders <count>', 'resting orders the book holds').argParser(wholeNumber).default(1 << 20),
    )
    .option('--strict', 'fail instead of running weaker than asked')
    .option('--json', 'print one JSON object as the last line instead of text')
    .action(receive);
}

async function receive(flags: ReceiveFlags): Promise<void> {
  const { receiveOrders } = await import('../order/receiveOrders.ts');
  const stop = new AbortController();
  // More than once: from the terminal, from npm and from the launcher.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
  await using receiver = await receiveOrders({
    via: flags.via,
    udpPort: flags.port,
    idle: flags.idle,
    maxOrders: flags.orders,
    strict: flags.strict ?? false,
    ...(flags.core === undefined ? {} : { core: flags.core }),
  });
  const { report } = receiver;
  console.error(`Receiving on UDP port ${report.udpPort} via ${flags.via}: ${report.mode}`);
  for (const reason of report.reasons) console.error(reason);
  const status = new StatusLine();
  const watch = LinkWatch.of(flags.via);
  const ended =
    flags.seconds === undefined ? Number.POSITIVE_INFINITY : performance.now() + flags.seconds * 1000;
  try {
    while (!stop.signal.aborted && !receiver.ended && performance.now() < ended) {
      const change = watch?.look();
      if (change !== undefined) {
        status.clear();
        console.error(change);
      }
      await Promise.race([sleep(250, undefined, { signal: stop.signal }).catch(() => {}), receiver.failed]);
      const now = receiver.read();
      status.show(
        `${whole(now.received)} received, ${whole(now.trades)} trades, book ${whole(now.book)}, ` +
          `rejected ${reasons(now.rejected)}, drops ${whole(now.dropped)}, p50 ${duration(now.latencyNs.p50)}`,
      );
    }
  } finally {
    status.clear();
  }
  const drops = await receiver.stop();
  for (const reason of receiver.lateReasons ?? []) console.error(reason);
  const { dropped: _, ...end } = receiver.read();
  if (flags.json)
    console.log(JSON.stringify({ via: report.via, accelerated: report.accelerated, ...end, drops }));
  else {
    console.log(
      `${whole(end.received)} received, ${whole(end.trades)} trades, ${whole(end.book)} in the book\n` +
        `rejected ${reasons(end.rejected)}\ndropped ${reasons(drops)}`,
    );
  }
}
