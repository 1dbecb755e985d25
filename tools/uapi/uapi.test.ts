import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import * as uapi from '../../src/sys/uapi/index.ts';
import type { Btf } from './btf.ts';
import { modules, syscalls } from './manifest.ts';
import { readBtf, readHeaders, structOf, syscallNumbers } from './sources.ts';

/** What was committed, by name: a number, or the members of a struct with their offsets. */
const committed = new Map<string, number | Readonly<Record<string, number>>>(Object.entries(uapi));

const btf = readBtf();

function requireBtf(t: TestContext): Btf | undefined {
  if (btf === undefined) t.skip('this kernel shows no BTF under /sys/kernel/btf/vmlinux');
  return btf;
}

test('every struct that was asked for lies as the running kernel has it', (t) => {
  const kernel = requireBtf(t);
  if (!kernel) return;
  for (const spec of modules.flatMap((module) => module.structs ?? [])) {
    const struct = structOf(spec, kernel);
    assert.ok(struct, `this kernel has no ${JSON.stringify(spec)}`);
    const ours = committed.get(struct.name);
    assert.ok(typeof ours === 'object', `${struct.name} was not generated`);
    const { sizeof, ...members } = ours;
    // The kernel appends to its structs: an older one lacks the last members, a newer one has more.
    const shared = Object.keys(members).filter((member) => struct.layout.members.has(member));
    assert.ok(shared.length > 0, `${struct.name} has nothing in common with this kernel's`);
    for (const member of shared) {
      assert.equal(members[member], struct.layout.members.get(member), `${struct.name}.${member}`);
    }
    if (shared.length === Object.keys(members).length && shared.length === struct.layout.members.size) {
      assert.equal(sizeof, struct.layout.size, `size of ${struct.name}`);
    }
  }
});

test('every enumerator that the running kernel knows has the kernel’s value', (t) => {
  const kernel = requireBtf(t);
  if (!kernel) return;
  let compared = 0;
  for (const name of modules.flatMap((module) => module.enums ?? [])) {
    for (const [key, value] of kernel.enum(name) ?? []) {
      if (!committed.has(key)) continue;
      assert.equal(committed.get(key), value, `${key} of enum ${name}`);
      compared++;
    }
  }
  assert.ok(compared > 300, `only ${compared} enumerators were found`);
});

test('every constant that the installed headers define has the value they give', (t) => {
  for (const module of modules) {
    const headers = readHeaders(module.headers);
    if (headers.names().length === 0) {
      t.skip('no kernel headers are installed (Debian: linux-libc-dev)');
      return;
    }
    let compared = 0;
    for (const name of headers.names()) {
      const value = headers.value(name);
      if (value === undefined || typeof committed.get(name) !== 'number') continue;
      assert.equal(committed.get(name), value, `${name} of ${headers.source(name)}`);
      compared++;
    }
    assert.ok(compared > 10, `only ${compared} constants of ${module.name} were found`);
  }
});

test('every constant that was asked for by name is there', () => {
  for (const module of modules) {
    for (const name of [...module.constants, ...Object.keys(module.newer ?? {})]) {
      if (typeof name === 'string') assert.equal(typeof committed.get(name), 'number', name);
    }
  }
});

test('system calls have their number on this architecture', (t) => {
  for (const name of syscalls) {
    let numbers: ReturnType<typeof syscallNumbers>;
    try {
      numbers = syscallNumbers(name);
    } catch {
      t.skip('no kernel headers of x86-64 are installed (Debian: linux-libc-dev)');
      return;
    }
    assert.equal(committed.get(`SYS_${name}`), process.arch === 'arm64' ? numbers.arm64 : numbers.x64);
  }
});
