import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { links } from '../../src/sys/index.ts';
import { requireRoot, requireTool } from '../support/requirements.ts';
import { lastLine, run } from '../support/runDemo.ts';

/** The kernel's numbers of the order sources that run for one demo, by what the demo wrote into their arguments. */
function senders(demo: ChildProcess): string[] {
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return ids.filter((id) => {
    try {
      const args = readFileSync(`/proc/${id}/cmdline`, 'utf8').split('\0');
      return args[1]?.includes('demo/sender') && args[2]?.includes(`"parent":${demo.pid},`);
    } catch {
      return false;
    }
  });
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Waited 10 s in vain: ${what}`);
}

describe('barewire demo', () => {
  it('brings every order over AF_XDP into the book, at the default rate', async (t) => {
    if (!requireRoot(t)) return;
    const { code, out, err } = await run(['demo', '--seconds', '2', '--json']).ended;
    assert.equal(code, 0, err);
    const report = lastLine(out);
    assert.equal(report.via, 'xdp');
    assert.equal(report.accelerated, true);
    assert.equal(report.reason, null);
    assert.equal(report.sent, 100_000);
    assert.deepEqual([report.received, report.lost, report.rejected], [100_000, 0, {}]);
    assert.ok(report.trades > 0);
    assert.ok(report.book > 0);
    for (const path of ['ours', 'dgram'] as const) {
      const { p50, p99, p999, max } = report.latencyNs[path]!;
      assert.ok(p50! > 0 && p50! <= p99! && p99! <= p999! && p999! <= max!, path);
    }
    assert.ok(report.latencyNs.ours.p50! < report.latencyNs.dgram!.p50!);
  });

  it('makes the same book of the same seed', async (t) => {
    if (!requireRoot(t)) return;
    const args = ['demo', '--rate', '5000', '--seconds', '1', '--seed', '42', '--json'];
    const first = lastLine((await run(args).ended).out);
    const second = lastLine((await run(args).ended).out);
    assert.deepEqual([first.lost, second.lost], [0, 0]);
    assert.deepEqual([first.trades, first.book], [second.trades, second.book]);
  });

  it('prints a table for people', async (t) => {
    if (!requireRoot(t)) return;
    const { code, out } = await run(['demo', '--rate', '2000', '--seconds', '1']).ended;
    assert.equal(code, 0);
    assert.match(out, /AF_XDP +node:dgram/);
    for (const row of [
      'sent',
      'received',
      'in the book',
      'rejected',
      'lost',
      'trades',
      'p50',
      'p99.9',
      'max',
    ]) {
      assert.match(out, new RegExp(`${row.replace('.', '\\.')} `), row);
    }
    assert.match(out, /native mode, copy, 1 of 1 queues/);
  });

  it('does not disturb another demo', async (t) => {
    if (!requireRoot(t)) return;
    const args = ['demo', '--rate', '5000', '--seconds', '2', '--json'];
    const both = await Promise.all([run(args).ended, run(args).ended]);
    for (const { code, out, err } of both) {
      assert.equal(code, 0, err);
      assert.equal(lastLine(out).received, 10_000);
    }
  });

  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    it(`leaves nothing behind after ${signal}`, async (t) => {
      if (!requireRoot(t)) return;
      const before = links().map(({ name }) => name);
      const { child, ended } = run(['demo', '--seconds', '30']);
      await until('the demo sends', () => senders(child).length > 0);
      child.kill(signal);
      const { code, signal: by } = await ended;
      if (signal === 'SIGKILL') assert.equal(by, 'SIGKILL');
      else assert.equal(code, 130);
      await until('the order source is gone', () => senders(child).length === 0);
      assert.deepEqual(
        links().map(({ name }) => name),
        before,
      );
    });
  }

  it('runs without root on kernel sockets, and says why and what would accelerate it', async (t) => {
    if (!requireRoot(t)) return;
    const setpriv = requireTool(t, 'setpriv');
    if (setpriv === undefined) return;
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath];
    const { code, out, err } = await run(['demo', '--rate', '5000', '--seconds', '1'], setpriv, nobody).ended;
    assert.equal(code, 0, err);
    assert.match(out, /kernel UDP +node:dgram/);
    assert.match(out, /Not accelerated\. .*EPERM\. It needs CAP_SYS_ADMIN, .*CAP_PERFMON; .* run as root/);
    assert.match(out, /sudo npm start/);
    const json = await run(['demo', '--rate', '5000', '--seconds', '1', '--json'], setpriv, nobody).ended;
    const report = lastLine(json.out);
    assert.deepEqual([report.via, report.accelerated, report.lost], ['udp', false, 0]);
    assert.match(report.reason!, /EPERM/);
    const strict = await run(['demo', '--strict'], setpriv, nobody).ended;
    assert.equal(strict.code, 1);
    assert.match(strict.err, /EPERM/);
  });
});
