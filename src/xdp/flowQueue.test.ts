import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CountedFlow } from '../bpf/index.ts';
import type { ListedFlowRule } from '../sys/index.ts';
import { computeFlowQueue, type FlowQueue, type SteeringFacts } from './flowQueue.ts';

/** The first flow of Microsoft's "Verifying the RSS hash calculation": hash 0x51ccc178 with ports, 0x323e8fc2 without. */
const flow = {
  port: 1766,
  address: '161.142.100.80',
  sourceAddress: '66.9.149.187',
  sourcePort: 2794,
} satisfies CountedFlow;

const key = Uint8Array.from(
  Buffer.from('6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa', 'hex'),
);
const addresses = ['sourceAddress', 'destinationAddress'] as const;
const all = [...addresses, 'sourcePort', 'destinationPort'] as const;

const nic: SteeringFacts = {
  nicQueues: 8,
  rules: [],
  rss: {
    hashFunction: 'toeplitz',
    key,
    table: Uint32Array.from({ length: 128 }, (_, i) => i & 7),
    symmetry: undefined,
  },
  hashedFields: { 4: all, 6: addresses },
};

const answer = (more: Partial<SteeringFacts>, of: CountedFlow = flow): FlowQueue =>
  computeFlowQueue(of, { ...nic, ...more });
const told = (more: Partial<SteeringFacts>, of?: CountedFlow): unknown => {
  const { queue, via } = answer(more, of);
  return [queue, via];
};
const why = (more: Partial<SteeringFacts>, of?: CountedFlow): string => {
  const { queue, via, frames, reasons } = answer(more, of);
  assert.deepEqual([queue, via, frames, reasons.length], [undefined, undefined, [], 1]);
  return reasons[0]!;
};

test('computeFlowQueue() takes the entry of the table under the hash of the flow', () => {
  assert.deepEqual(told({}), [0x78 & 7, 'rss']);
  assert.deepEqual(told({ hashedFields: { 4: addresses, 6: all } }), [0xc2 & 7, 'rss']);
  const { sourcePort: _, ...less } = flow;
  assert.deepEqual(told({ hashedFields: { 4: addresses, 6: all } }, less), [0xc2 & 7, 'rss']);
});

test('computeFlowQueue() puts both directions on one nicQueue where the NIC hashes symmetrically', () => {
  const back = {
    port: flow.sourcePort,
    address: flow.sourceAddress,
    sourceAddress: flow.address,
    sourcePort: flow.port,
  };
  const queues = (symmetry: 'xor' | undefined): unknown[] =>
    [flow, back].map((each) => answer({ rss: { ...nic.rss!, symmetry } }, each).queue);
  const [there, again] = queues('xor');
  assert.equal(there, again);
  const [plain, other] = queues(undefined);
  assert.notEqual(plain, other);
});

test('computeFlowQueue() says what it lacks to compute a hash', () => {
  const { sourceAddress: _, sourcePort: __, ...less } = flow;
  assert.equal(why({}, less), 'not computed: the NIC hashes sourceAddress, sourcePort, which the flow lacks');
  assert.match(why({}, { port: 9000 }), /tell an address of the flow, or its IP version/);
  assert.match(why({ rss: undefined }), /does not tell how it hashes/);
  assert.match(why({ hashedFields: { 4: undefined, 6: all } }), /does not tell how it hashes/);
  assert.match(why({ hashedFields: { 4: [], 6: all } }), /hashes nothing/);
  assert.match(why({ hashedFields: { 4: [...all, 'other'], 6: all } }), /other fields/);
  const { rss } = nic;
  assert.match(why({ rss: { ...rss!, hashFunction: 'xor' } }), /the hash function is xor/);
  assert.match(why({ rss: { ...rss!, key: new Uint8Array() } }), /keeps key or table to itself/);
  assert.match(why({ rss: { ...rss!, table: new Uint32Array() } }), /keeps key or table to itself/);
});

test('computeFlowQueue() needs nothing where there is one nicQueue', () => {
  assert.deepEqual(told({ nicQueues: 1, rss: undefined }, { port: 9000 }), [0, 'only']);
});

const rule = (
  location: number,
  queue: number | undefined,
  match: ListedFlowRule['match'],
): ListedFlowRule => ({
  location,
  queue,
  match,
});

test('computeFlowQueue() follows the rule that takes the flow, the one with the lowest location first', () => {
  const rules = [
    rule(9, 5, { version: 4, port: 1766 }),
    rule(2, 6, { version: 4, port: 1766, address: '161.142.100.80', sourcePort: 2794 }),
    rule(1, 7, { version: 4, port: 1767 }),
    rule(0, 7, { version: 6, port: 1766 }),
  ];
  assert.deepEqual(told({ rules }), [6, 'rule']);
  assert.deepEqual(told({ rules: rules.slice(0, 1) }), [5, 'rule']);
  assert.deepEqual(told({ rules: rules.slice(2) }), [0, 'rss']);
});

test('computeFlowQueue() compares addresses, not how they are written', () => {
  const rules = [rule(0, 3, { version: 6, port: 9, address: 'fe80::1' })];
  assert.deepEqual(told({ rules }, { port: 9, address: 'FE80:0:0::0:1' }), [3, 'rule']);
  assert.deepEqual(
    told({ rules }, { port: 9, address: Uint8Array.of(0xfe, 0x80, ...new Uint8Array(13), 1) }),
    [3, 'rule'],
  );
});

test('computeFlowQueue() does not guess whether a rule takes the flow', () => {
  const { sourcePort: _, ...less } = flow;
  const unsure = [rule(4, 5, { version: 4, port: 1766, sourcePort: 2794 })];
  assert.match(why({ rules: unsure }, less), /^not computed: rule 4 may take it elsewhere$/);
  assert.match(why({ rules: [rule(4, 5, undefined)] }), /rule 4/);
  assert.match(why({ rules: [rule(4, undefined, { version: 4, port: 1766 })] }), /rule 4/);
});
