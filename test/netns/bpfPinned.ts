// Run by bpfPin.test.ts with a BPF file system of its own at the folder that it is given: pins a map and a link, and prints
// what became of them.

import assert from 'node:assert/strict';
import { existsSync, unlinkSync } from 'node:fs';
import { BpfMap, BpfProgram, flowCountersSpec, verdictProgramSpec, XdpLink } from '../../src/bpf/index.ts';
import { link, NetworkNamespace, withNetns } from '../../src/sys/index.ts';
import { waitUntil } from '../support/handmadeXdpSocket.ts';

const folder = process.argv[2]!;

/** Runs `action`; returns the message of what it throws. */
function refusalOf(action: () => void): string {
  try {
    action();
    return 'none';
  } catch (error) {
    return String(error);
  }
}

using map = BpfMap.create(flowCountersSpec);
map.pin(`${folder}/map`);
const mapPinned = existsSync(`${folder}/map`);
const again = refusalOf(() => map.pin(`${folder}/map`));
const nowhere = refusalOf(() => map.pin(`${folder}/none/map`));

using namespace = NetworkNamespace.create();
withNetns(namespace, () => {
  using program = BpfProgram.load(verdictProgramSpec('XDP_PASS'));
  const attached = XdpLink.attach(program, link('lo'), 'generic');
  attached.pin(`${folder}/link`);
  attached.close();
  attached.close();
  const afterClose = link('lo').xdp?.programId === program.info().id;
  unlinkSync(`${folder}/link`);
  // The kernel lets go of a link's last reference in a worker of its own.
  const afterUnlink = waitUntil(() => link('lo').xdp === undefined);
  assert.ok(mapPinned);
  process.stdout.write(JSON.stringify({ again, nowhere, afterClose, afterUnlink }));
});
