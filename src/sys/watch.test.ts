import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { openSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { loadUvPoll } from '../ffi/index.ts';
import { EventFd } from './eventfd.ts';
import { Fd, leakedFds } from './fd.ts';
import { UdpSocket } from './udpSocket.ts';
import { watchReadable } from './watch.ts';

const VIAS = ['uv_poll', 'thread'] as const;

/** Waits until `condition` holds, without waking the loop more than it must be woken anyway. */
async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    assert.ok(tries < 200, 'not within 2 s');
    await sleep(10);
  }
}

test('the main thread watches through libuv, and nothing weaker is reported', () => {
  assert.equal(typeof loadUvPoll(), 'object');
  using event = EventFd.create('test');
  using watch = watchReadable([event.fd], () => {});
  assert.deepEqual([watch.via, watch.reason], ['uv_poll', undefined]);
});

for (const via of VIAS) {
  test(`${via}: one call for each arm(), whatever arrives`, async () => {
    using event = EventFd.create('test');
    let calls = 0;
    using watch = watchReadable([event.fd], () => calls++, { via });
    assert.equal(watch.via, via);
    event.signal();
    await sleep(20);
    assert.equal(calls, 0, 'called before arm()');
    watch.arm();
    watch.arm();
    await until(() => calls === 1);
    event.signal();
    await sleep(60);
    assert.equal(calls, 1, 'called without arm()');
    watch.arm();
    await until(() => calls === 2);
    event.drain();
    watch.arm();
    await sleep(20);
    assert.equal(calls, 2, 'called although nothing is there');
    event.signal();
    await until(() => calls === 3);
  });

  test(`${via}: any of several descriptors calls`, async () => {
    using first = EventFd.create('first');
    using second = EventFd.create('second');
    let calls = 0;
    using watch = watchReadable([first.fd, second.fd], () => calls++, { via });
    for (const [round, event] of [second, first, second, second].entries()) {
      watch.arm();
      event.signal();
      await until(() => calls === round + 1);
      event.drain();
    }
  });

  test(`${via}: a closed watch calls no more, and its descriptors may be closed and watched anew`, async () => {
    const before = leakedFds().length;
    let calls = 0;
    for (let i = 0; i < (via === 'uv_poll' ? 1_000 : 10); i++) {
      const event = EventFd.create('test');
      const watch = watchReadable([event.fd], () => calls++, { via });
      watch.arm();
      event.signal();
      if (i % 2 === 0) await sleep(0);
      const sofar = calls;
      watch.close();
      watch.close();
      watch.arm();
      watch.ref();
      watch.unref();
      event.close();
      if (i % 8 === 0) await sleep(1);
      assert.equal(calls, sofar);
    }
    assert.equal(leakedFds().length, before);
  });

  test(`${via}: a watch may be closed in its own callback`, async () => {
    using event = EventFd.create('test');
    let calls = 0;
    const watch = watchReadable(
      [event.fd],
      () => {
        calls++;
        watch.close();
      },
      { via },
    );
    watch.arm();
    event.signal();
    await until(() => calls === 1);
    await sleep(10);
    assert.equal(calls, 1);
  });

  test(`${via}: an idle watch costs no CPU, and neither does one that is not armed`, async () => {
    using quiet = EventFd.create('quiet');
    using loud = EventFd.create('loud');
    using idle = watchReadable([quiet.fd], () => assert.fail('nothing arrived'), { via });
    let calls = 0;
    using unarmed = watchReadable([loud.fd], () => calls++, { via });
    loud.signal();
    idle.arm();
    unarmed.arm();
    await until(() => calls === 1);
    const start = process.cpuUsage();
    await sleep(400);
    const { user, system } = process.cpuUsage(start);
    assert.ok((user + system) / 1e3 < 40, `${(user + system) / 1e3} ms of CPU in 400 ms`);
  });

  test(`${via}: a descriptor with an error calls, each time it is asked`, async () => {
    const gone = new UdpSocket({ address: '127.0.0.1', port: 0 });
    const peer = { address: '127.0.0.1', port: gone.local.port };
    gone.close();
    using socket = new UdpSocket({ peer });
    let calls = 0;
    using watch = watchReadable([socket.fd], () => calls++, { via });
    watch.arm();
    socket.reserve(4);
    socket.flush();
    await until(() => calls === 1);
    watch.arm();
    await until(() => calls === 2);
  });

  test(`${via}: no descriptors are refused`, () => {
    assert.throws(() => watchReadable([], () => {}, { via }), {
      name: 'TypeError',
      message: 'Cannot watch: fds must name at least one descriptor, got none',
    });
  });
}

test('what cannot be watched is a SystemError, and nothing of the watch is left', () => {
  using event = EventFd.create('test');
  using file = new Fd(openSync(fileURLToPath(import.meta.url), 'r'), 'test file');
  const refused = (fd: number, code: string): void =>
    assert.throws(() => watchReadable([event.fd, fd], () => {}), {
      code,
      subject: `fd ${fd}`,
      syscall: 'uv_poll_init',
    });
  refused(1_000_000, 'EBADF');
  refused(file.fd, 'EPERM');
  {
    using other = EventFd.create('other');
    using _watch = watchReadable([other.fd], () => {});
    _watch.arm();
    refused(other.fd, 'EEXIST');
  }
  using again = watchReadable([event.fd], () => {});
  again.arm();
});

/** Watches descriptors through a helper thread in a process of its own, and arms the watch again when called. */
function armTwice(fds: number, before: string, options = ''): unknown {
  const program = `
    import { EventFd, SystemError, watchReadable } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
    const event = EventFd.create('test');
    const watch = watchReadable(new Array(${fds}).fill(event.fd), () => {
      const answer = { system: false };
      try {
        watch.arm();
      } catch (error) {
        answer.system = error instanceof SystemError;
        answer.message = error.message.replaceAll(event.fd, 'N');
      }
      const started = performance.now();
      watch.close();
      answer.waited = performance.now() - started > 500;
      console.log(JSON.stringify(answer));
    }, { via: 'thread' });
    watch.arm();`;
  const script = `${before}; exec "$0" --input-type=module -e "$1"`;
  const { stdout, stderr } = spawnSync('sh', ['-c', script, process.execPath, program], {
    encoding: 'utf8',
    timeout: 20_000,
    env: { ...process.env, NODE_OPTIONS: options },
  });
  assert.equal(stderr, '');
  return JSON.parse(stdout);
}

test('a helper thread whose poll(2) fails calls, and the next arm() throws why', () => {
  assert.deepEqual(armTwice(300, 'ulimit -n 200'), {
    ...{ system: true, waited: false },
    message: `Cannot watch fd ${new Array(8).fill('N').join(', ')}, …: EINVAL`,
  });
});

test('a helper thread that does not start calls, and the next arm() throws why', () => {
  // In the quotes that NODE_OPTIONS leaves alone.
  const script = `import{isMainThread}from'node:worker_threads';if(!isMainThread)throw(new%20Error('no'))`;
  assert.deepEqual(armTwice(1, ':', `--import=data:text/javascript,${script}`), {
    ...{ system: false, waited: false },
    message: 'no',
  });
});

test('a worker watches through a helper thread and says why', async () => {
  const program = `
    const { parentPort } = require('node:worker_threads');
    import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)}).then(({ EventFd, watchReadable }) => {
      const event = EventFd.create('test');
      const watch = watchReadable([event.fd], () => {
        parentPort.postMessage([watch.via, watch.reason]);
        watch.close();
      });
      watch.arm();
      event.signal();
    });`;
  const worker = new Worker(program, { eval: true });
  const [via, reason] = await new Promise<[string, string]>((resolve, reject) => {
    worker.on('message', resolve).on('error', reject);
  });
  assert.equal(via, 'thread');
  assert.match(reason, /only the main thread/);
});
