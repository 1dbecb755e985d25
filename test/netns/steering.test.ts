import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  FlowRule,
  features,
  flowRules,
  hashedFields,
  leakedFds,
  rss,
  SystemError,
  withNetns,
} from '../../src/sys/index.ts';
import { requireRoot } from '../support/requirements.ts';
import { type TestVeth, testVeth } from '../support/vethPair.ts';

function onVeth(name: string, run: (interfaceName: string, veth: TestVeth) => void): void {
  test(name, (t) => {
    if (!requireRoot(t)) return;
    const open = leakedFds().length;
    {
      using veth = testVeth({ queues: 4 });
      withNetns(veth.b.namespace, () => run(veth.b.name, veth));
    }
    assert.equal(leakedFds().length, open, 'a descriptor was left open');
  });
}

const fails = (code: string, message: RegExp, run: () => unknown): void =>
  assert.throws(run, (error) => {
    assert.ok(error instanceof SystemError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });

onVeth('a driver that tells no receive hashing has none for us: veth', (name) => {
  assert.equal(rss(name), undefined);
  assert.equal(hashedFields(name, 4), undefined);
  assert.equal(hashedFields(name, 6), undefined);
  assert.equal(flowRules(name), undefined);
});

onVeth('a FlowRule on a driver that steers no flows is refused with what to do instead: veth', (name) => {
  assert.deepEqual(features(name).get('rx-ntuple-filter'), { active: false, fixed: true });
  const spec = { interface: name, port: 9000, version: 4, queue: 2 } as const;
  for (const each of [spec, { ...spec, version: 6 }, { ...spec, replace: true }] as const) {
    fails('EOPNOTSUPP', /^Cannot insert flow rule into vb: EOPNOTSUPP\. .*open every nicQueue/, () => {
      new FlowRule(each);
    });
  }
  assert.throws(() => new FlowRule({ ...spec, port: 0 }), RangeError);
});

onVeth('an interface that is missing is ENODEV, whatever is asked of it', () => {
  for (const ask of [
    () => rss('v9'),
    () => hashedFields('v9', 4),
    () => flowRules('v9'),
    () => new FlowRule({ interface: 'v9', port: 9000, version: 4, queue: 0 }),
  ]) {
    fails('ENODEV', /v9/, ask);
  }
});
