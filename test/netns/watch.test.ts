import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

// What a watch of descriptors does to the process that it is in: when it ends, and where exceptions go.

/** Runs a program of its own that has sys/ at hand. @returns its exit code, what it printed, and how long it took */
function run(program: string): { status: number | null; stdout: string; stderr: string; ms: number } {
  const prelude = `import { EventFd, watchReadable } from ${JSON.stringify(new URL('../../src/sys/index.ts', import.meta.url).href)};`;
  const started = performance.now();
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', `${prelude}\n${program}`],
    { encoding: 'utf8', timeout: 20_000 },
  );
  return { status, stdout, stderr, ms: performance.now() - started };
}

for (const via of ['uv_poll', 'thread'] as const) {
  test(`${via}: ticks and promises of the callback run before anything else wakes the loop`, () => {
    const { status, stdout } = run(`
      const event = EventFd.create('test');
      const order = [];
      const watch = watchReadable([event.fd], () => {
        process.nextTick(() => order.push('tick'));
        Promise.resolve().then(() => order.push('promise'));
        setImmediate(() => {
          order.push('immediate');
          console.log(order.join());
          watch.close();
        });
      }, { via: '${via}' });
      watch.arm();
      event.signal();`);
    assert.deepEqual({ status, stdout }, { status: 0, stdout: 'tick,promise,immediate\n' });
  });

  test(`${via}: an exception is an uncaught one that can be handled, and the watch goes on`, () => {
    const { status, stdout, stderr } = run(`
      const event = EventFd.create('test');
      let calls = 0;
      const watch = watchReadable([event.fd], () => {
        if (++calls === 2) return watch.close();
        throw new Error('mine');
      }, { via: '${via}' });
      process.on('uncaughtException', (error, origin) => {
        console.log(origin, error.message);
        watch.arm();
      });
      watch.arm();
      event.signal();`);
    assert.deepEqual(
      { status, stdout, stderr },
      { status: 0, stdout: 'uncaughtException mine\n', stderr: '' },
    );
    const unhandled = run(`
      const event = EventFd.create('test');
      watchReadable([event.fd], () => { throw new Error('mine'); }, { via: '${via}' }).arm();
      event.signal();`);
    assert.equal(unhandled.status, 1);
    assert.match(unhandled.stderr, /Error: mine/);
  });

  test(`${via}: an armed watch keeps the process alive until it has called, one that is not armed does not`, () => {
    const { status, stdout } = run(`
      const event = EventFd.create('test');
      const watch = watchReadable([event.fd], () => {
        event.drain();
        console.log('called');
      }, { via: '${via}' });
      watch.arm();
      setTimeout(() => event.signal(), 300).unref();
      process.on('exit', () => console.log('exit'));`);
    assert.deepEqual({ status, stdout }, { status: 0, stdout: 'called\nexit\n' });
  });

  test(`${via}: unref() lets the process end, ref() does not`, () => {
    const unreffed = run(`
      const event = EventFd.create('test');
      const watch = watchReadable([event.fd], () => console.log('called'), { via: '${via}' });
      watch.arm();
      watch.unref();`);
    assert.deepEqual([unreffed.status, unreffed.stdout], [0, '']);
    const again = run(`
      const event = EventFd.create('test');
      const watch = watchReadable([event.fd], () => console.log('called'), { via: '${via}' });
      watch.unref();
      watch.arm();
      watch.ref();
      setTimeout(() => event.signal(), 100).unref();`);
    assert.deepEqual([again.status, again.stdout], [0, 'called\n']);
  });

  test(`${via}: the process ends at once with process.exit() while armed`, () => {
    const { status, ms } = run(`
      const event = EventFd.create('test');
      watchReadable([event.fd], () => {}, { via: '${via}' }).arm();
      setTimeout(() => process.exit(7), 100);`);
    assert.equal(status, 7);
    assert.ok(ms < 3_000, `${ms} ms`);
  });
}
