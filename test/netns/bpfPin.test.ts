import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BpfMap, BpfProgram, flowCountersSpec, verdictProgramSpec, XdpLink } from '../../src/bpf/index.ts';
import { link, NetworkNamespace, withNetns } from '../../src/sys/index.ts';
import { requireRoot } from '../support/requirements.ts';

const PINNED = fileURLToPath(new URL('bpfPinned.ts', import.meta.url));

function emptyFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'barewire-pin-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('pinning outside of a BPF file system is refused, and the hint says how to mount one', (t) => {
  if (!requireRoot(t)) return;
  const folder = emptyFolder(t);
  using map = BpfMap.create(flowCountersSpec);
  assert.throws(() => map.pin(`${folder}/map`), {
    name: 'SystemError',
    code: 'EPERM',
    message:
      `Cannot pin BPF map flow_counters to ${folder}/map: EPERM. ${folder} is in no BPF file system: ` +
      '`mount -t bpf bpf /sys/fs/bpf`, and pin there',
  });
  using namespace = NetworkNamespace.create();
  withNetns(namespace, () => {
    using program = BpfProgram.load(verdictProgramSpec('XDP_PASS'));
    const attached = XdpLink.attach(program, link('lo'), 'generic');
    const refused = /^Cannot pin BPF link of lo to .*: EPERM\. .* is in no BPF file system/;
    assert.throws(() => attached.pin(`${folder}/link`), { code: 'EPERM', message: refused });
    attached.close();
    assert.equal(link('lo').xdp, undefined, 'a link that could not be pinned is detached when closed');
  });
  assert.deepEqual(readdirSync(folder), []);
});

test('a pinned link stays attached when it is closed, until its file is removed', (t) => {
  if (!requireRoot(t)) return;
  if (spawnSync('unshare', ['--version']).status !== 0) return t.skip('needs unshare (Debian: util-linux)');
  const folder = emptyFolder(t);
  const script = 'mount -t bpf bpf "$0" && exec "$1" "$2" "$0"';
  const child = spawnSync('unshare', ['--mount', 'sh', '-c', script, folder, process.execPath, PINNED], {
    encoding: 'utf8',
  });
  assert.equal(child.stderr, '');
  const { again, nowhere, afterClose, afterUnlink } = JSON.parse(child.stdout) as Record<string, unknown>;
  assert.match(String(again), /Cannot pin BPF map flow_counters to .*\/map: EEXIST$/);
  assert.match(String(nowhere), /Cannot pin BPF map flow_counters to .*\/none\/map: ENOENT$/);
  assert.equal(afterClose, true, 'attached after close()');
  assert.equal(afterUnlink, true, 'gone with its file');
  assert.equal(existsSync(join(folder, 'map')), false, 'mounted for everybody');
});
