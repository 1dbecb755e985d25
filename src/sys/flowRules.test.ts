import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import fc from 'fast-check';
import { SystemError } from './error.ts';
import type { EthtoolCommand } from './ethtool.ts';
import { decodeFlowRule, encodeFlowRule, type FlowMatch, sameFlow } from './flowRuleCodec.ts';
import { FlowRule, type FlowRuleSpec } from './flowRules.ts';
import { FlowRuleTable } from './flowRuleTable.ts';

const NUM_RUNS = process.env.BAREWIRE_SOAK === '1' ? 50_000 : 300;

// ---- Bytes ----------------------------------------------------------------------------------------------------------

/** The bytes that are not zero, by offset. */
const nonZero = (view: DataView<ArrayBuffer>): Record<number, number> =>
  Object.fromEntries([...new Uint8Array(view.buffer).entries()].filter(([, byte]) => byte !== 0));

test('encodeFlowRule() of IPv4 has every byte where linux/ethtool.h puts it', () => {
  const match = { port: 9000, address: '10.1.2.3', sourceAddress: '192.168.7.8', sourcePort: 40001 };
  const request = encodeFlowRule(match, 5, 0x01020304);
  assert.equal(request.byteLength, 192);
  assert.deepEqual(nonZero(request), {
    ...{ 0: 0x32, 16: 2 }, // ETHTOOL_SRXCLSRLINS, UDP_V4_FLOW
    ...{ 20: 192, 21: 168, 22: 7, 23: 8, 24: 10, 25: 1, 26: 2, 27: 3 },
    ...{ 28: 0x9c, 29: 0x41, 30: 0x23, 31: 0x28 },
    ...Object.fromEntries(Array.from({ length: 12 }, (_, i) => [92 + i, 0xff])),
    ...{ 168: 5, 176: 4, 177: 3, 178: 2, 179: 1 },
  });
});

test('encodeFlowRule() of IPv6 compares what is told and nothing else', () => {
  const request = encodeFlowRule({ port: 0x1234, address: 'fe80::1:2' }, 258, 0xffffffff);
  assert.deepEqual(nonZero(request), {
    ...{ 0: 0x32, 16: 6 }, // ETHTOOL_SRXCLSRLINS, UDP_V6_FLOW
    ...{ 36: 0xfe, 37: 0x80, 49: 1, 51: 2, 54: 0x12, 55: 0x34 },
    ...Object.fromEntries(Array.from({ length: 16 }, (_, i) => [108 + i, 0xff])),
    ...{ 126: 0xff, 127: 0xff, 168: 2, 169: 1, 176: 0xff, 177: 0xff, 178: 0xff, 179: 0xff },
  });
});

const port = fc.integer({ min: 1, max: 65535 });
const optional = { requiredKeys: ['version', 'port'] as ['version', 'port'], noNullPrototype: true };
const matchOf = (version: 4 | 6, address: fc.Arbitrary<string>): fc.Arbitrary<FlowMatch> =>
  fc.record(
    { version: fc.constant(version), port, address, sourceAddress: address, sourcePort: port },
    optional,
  );
const canonicalV6 = fc
  .array(fc.integer({ min: 1, max: 0xffff }), { minLength: 8, maxLength: 8 })
  .map((groups) => groups.map((group) => group.toString(16)).join(':'));
const anyMatch = fc.oneof(matchOf(4, fc.ipV4()), matchOf(6, canonicalV6));

test('decodeFlowRule() reads what encodeFlowRule() wrote', () => {
  fc.assert(
    fc.property(anyMatch, fc.nat({ max: 0xffff }), fc.nat(), (match, queue, location) => {
      const request = encodeFlowRule(match, queue, location);
      assert.deepEqual(decodeFlowRule(request), { location, queue, match });
    }),
    { numRuns: NUM_RUNS },
  );
});

test('sameFlow() tells rules apart by what they take', () => {
  fc.assert(
    fc.property(anyMatch, anyMatch, (a, b) => {
      assert.ok(sameFlow(a, { ...a }));
      assert.equal(sameFlow(a, b), JSON.stringify(a) === JSON.stringify(b));
    }),
    { numRuns: NUM_RUNS },
  );
  assert.ok(sameFlow({ port: 1, address: '::1' }, { port: 1, address: '0:0::1', version: 6 }));
  assert.ok(!sameFlow({ port: 1, version: 4 }, { port: 1, version: 6 }));
});

test('decodeFlowRule() does not pass a rule off as less or more than it takes', () => {
  const changed = (at: number, byte: number): FlowMatch | undefined => {
    const answer = encodeFlowRule({ port: 9000, address: '10.0.0.1' }, 0, 0);
    answer.setUint8(at, byte);
    return decodeFlowRule(answer).match;
  };
  assert.ok(changed(72, 1) !== undefined, 'a value that no mask compares is nothing');
  assert.equal(changed(99, 0), undefined, 'a prefix of 24 bits');
  assert.equal(changed(104, 0xff), undefined, 'a type of service');
  assert.equal(changed(144, 0xff), undefined, 'an extension: MAC address, VLAN');
  assert.equal(changed(102, 0), undefined, 'half a port');
  const anyPort = encodeFlowRule({ port: 9000, address: '10.0.0.1' }, 0, 0);
  for (const at of [30, 102]) anyPort.setUint16(at, 0);
  assert.equal(decodeFlowRule(anyPort).match, undefined, 'every port');
  assert.equal(changed(16, 1), undefined, 'TCP');
  assert.equal(changed(19, 0x20), undefined, 'a flag of the flow type');
});

test('decodeFlowRule() names no queue for a rule that drops, or that gives to a virtual function', () => {
  const answer = encodeFlowRule({ port: 9000, version: 4 }, 3, 0);
  answer.setUint32(172, 1, true);
  assert.equal(decodeFlowRule(answer).queue, undefined);
});

test('encodeFlowRule() refuses what cannot be', () => {
  const refuses = (match: FlowMatch, name: string, message: RegExp, queue = 0): void =>
    assert.throws(() => encodeFlowRule(match, queue, 0), { name, message });
  for (const bad of [0, 65536, 1.5]) {
    refuses({ port: bad, version: 4 }, 'RangeError', /of port .*want an integer from 1 to 65535/);
    refuses({ port: 1, sourcePort: bad, version: 4 }, 'RangeError', /of sourcePort/);
  }
  for (const queue of [-1, 65536, 0.5]) {
    refuses({ port: 1, version: 4 }, 'RangeError', /Cannot steer flow to queue/, queue);
  }
  refuses({ port: 1 }, 'TypeError', /tell its IP version, or an address/);
  refuses({ port: 1, version: 6, address: '10.0.0.1' }, 'TypeError', /want one IP version/);
  refuses({ port: 1, address: '::1', sourceAddress: '10.0.0.1' }, 'TypeError', /want one IP version/);
  refuses({ port: 1, address: 'eth0' }, 'TypeError', /Cannot read IP address/);
});

// ---- A NIC's table --------------------------------------------------------------------------------------------------

/** A NIC that keeps rules as drivers do: of a size, with or without choosing locations itself. */
class Nic {
  /** refuses every insertion but of these nicQueues */
  onlyQueues: readonly number[] = [0, 1, 2, 3];
  readonly rules = new Map<number, Uint8Array>();
  readonly size: number;
  readonly chooses: boolean;

  constructor(size = 8, chooses = false) {
    this.size = size;
    this.chooses = chooses;
  }

  table(): FlowRuleTable {
    return new FlowRuleTable('eth0', (what, request) => this.#answer(what, request));
  }

  #answer({ command, syscall, action }: EthtoolCommand, request: DataView<ArrayBuffer>): void {
    const fail = (errno: number): never => {
      throw new SystemError(action, { syscall, errno, subject: 'eth0' });
    };
    const location = request.getUint32(176, true);
    const rule = this.rules.get(location);
    switch (command) {
      case 0x2e: // count
        request.setUint32(184, this.rules.size, true);
        request.setUint32(8, (this.size | (this.chooses ? 0x80000000 : 0)) >>> 0, true);
        break;
      case 0x30: // all
        request.setUint32(184, this.rules.size, true);
        for (const [i, each] of [...this.rules.keys()].entries()) request.setUint32(188 + 4 * i, each, true);
        break;
      case 0x2f: // one
        new Uint8Array(request.buffer).set(rule ?? fail(constants.errno.ENOENT));
        break;
      case 0x31: // delete
        if (!this.rules.delete(location)) fail(constants.errno.ENOENT);
        break;
      case 0x32: // insert
        this.#insert(request, location, fail);
        break;
      default:
        fail(constants.errno.EOPNOTSUPP);
    }
  }

  #insert(request: DataView<ArrayBuffer>, wanted: number, fail: (errno: number) => never): void {
    if ((wanted === 0xffffffff) !== this.chooses) fail(constants.errno.EINVAL);
    if (!this.onlyQueues.includes(request.getUint32(168, true))) fail(constants.errno.EINVAL);
    const location = this.chooses ? this.rules.size : wanted;
    request.setUint32(176, location, true);
    this.rules.set(location, new Uint8Array(request.buffer.slice(0)));
  }
}

const spec: FlowRuleSpec = { interface: 'eth0', port: 9000, version: 4, queue: 2 };

const failsWith = (code: string, message: RegExp, run: () => unknown): void =>
  assert.throws(run, (error) => {
    assert.ok(error instanceof SystemError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });

test('a FlowRule is in the table from its construction to its close, which is idempotent', () => {
  const nic = new Nic();
  const rule = new FlowRule(spec, nic.table());
  assert.deepEqual(nic.table().list(), [
    { location: rule.location, queue: 2, match: { version: 4, port: 9000 } },
  ]);
  assert.deepEqual([rule.owned, rule.earlier], [true, undefined]);
  rule.close();
  assert.equal(nic.rules.size, 0);
  rule.close();
});

test('a FlowRule takes the last free place, or the one that the driver chooses', () => {
  const nic = new Nic(4);
  const locations = [1, 2, 3, 4].map((each) => new FlowRule({ ...spec, port: each }, nic.table()).location);
  assert.deepEqual(locations, [3, 2, 1, 0]);
  failsWith('ENOSPC', /^Cannot insert flow rule into eth0: ENOSPC \(all 4 places are taken\)/, () => {
    new FlowRule({ ...spec, port: 5 }, nic.table());
  });
  using rule = new FlowRule(spec, new Nic(4, true).table());
  assert.equal(rule.location, 0);
});

test('a FlowRule uses a rule that steers the same to the same queue, and leaves it', () => {
  const nic = new Nic();
  const { location } = new FlowRule(spec, nic.table()); // as a killed process leaves it
  const second = new FlowRule(spec, nic.table());
  assert.equal(second.owned, false);
  assert.deepEqual(second.earlier, { location, queue: 2 });
  second.close();
  assert.equal(nic.rules.size, 1);
});

test('a FlowRule refuses a rule that steers the same elsewhere, and names it', () => {
  const nic = new Nic();
  const { location } = new FlowRule({ ...spec, queue: 1 }, nic.table());
  failsWith('EEXIST', new RegExp(`rule ${location} steers .* to queue 1.*delete ${location}\``), () => {
    new FlowRule(spec, nic.table());
  });
  assert.equal(nic.table().list()[0]!.queue, 1);
});

test('a FlowRule that replaces makes an earlier rule its own, wherever that steers', () => {
  for (const queue of [1, 2]) {
    const nic = new Nic();
    const { location } = new FlowRule({ ...spec, queue }, nic.table());
    using others = new FlowRule({ ...spec, port: 9001 }, nic.table());
    const rule = new FlowRule({ ...spec, replace: true }, nic.table());
    assert.deepEqual([rule.owned, rule.earlier], [true, { location, queue }]);
    assert.deepEqual(
      nic
        .table()
        .list()
        .map((each) => each.queue),
      [others.queue, 2],
    );
    rule.close();
    assert.deepEqual(
      nic
        .table()
        .list()
        .map((each) => each.location),
      [others.location],
    );
  }
});

test('a FlowRule that replaces puts the earlier rule back when the NIC refuses its own', () => {
  const nic = new Nic();
  const { location } = new FlowRule({ ...spec, queue: 1 }, nic.table());
  const before = nic.table().list();
  failsWith(
    'EINVAL',
    new RegExp(`\\(rule ${location}, .* to queue 1, .* is back as rule ${location}\\)`),
    () => {
      new FlowRule({ ...spec, queue: 4, replace: true }, nic.table());
    },
  );
  assert.deepEqual(nic.table().list(), before);
});

test('a FlowRule that replaces says so when it cannot put the earlier rule back', () => {
  const nic = new Nic();
  const { location } = new FlowRule({ ...spec, queue: 1 }, nic.table());
  const replace = (): unknown => new FlowRule({ ...spec, replace: true }, nic.table());
  nic.onlyQueues = [];
  const lost = new RegExp(
    `rule ${location}, .* to queue 1, was taken off for it and cannot be put back: .*EINVAL`,
  );
  failsWith('EINVAL', lost, replace);

  // A rule that drops says no nicQueue to put it back with.
  const drops = encodeFlowRule(spec, 0, 5);
  drops.setUint32(168, 0xffffffff, true);
  drops.setUint32(172, 0xffffffff, true);
  nic.rules.set(5, new Uint8Array(drops.buffer));
  failsWith('EINVAL', /rule 5, .* elsewhere, was taken off for it and cannot be put back, since/, replace);
});

test('a FlowRule that cannot be touches nothing, and one that went by another hand is closed quietly', () => {
  const nic = new Nic();
  const rule = new FlowRule({ ...spec, queue: 1 }, nic.table());
  assert.throws(() => new FlowRule({ ...spec, queue: -1, replace: true }, nic.table()), RangeError);
  failsWith('EINVAL', /ethtool -l/, () => new FlowRule({ ...spec, port: 1, queue: 4 }, nic.table()));
  assert.equal(nic.rules.size, 1);
  nic.rules.clear();
  rule.close();
});
