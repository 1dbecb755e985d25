import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EthernetHeader, EtherType, ethernetHeaderLen, writeEthernetHeader } from './ethernet.ts';
import { FrameError } from './frameError.ts';

const macs = { destination: '02:00:00:00:00:01', source: '02:00:00:00:00:02' } as const;

function written(
  spec: Parameters<typeof writeEthernetHeader>[2],
  offset = 3,
): { view: DataView; len: number } {
  const view = new DataView(new ArrayBuffer(64));
  return { view, len: writeEthernetHeader(view, offset, spec) };
}

test('EthernetHeader reads what writeEthernetHeader() wrote, with 0, 1 and 2 tags', () => {
  const header = new EthernetHeader();
  for (const vlans of [[], [{ id: 5 }], [{ id: 100, priority: 7, dropEligible: true }, { id: 4095 }]]) {
    const { view, len } = written({ ...macs, etherType: EtherType.arp, vlans });
    assert.equal(len, 14 + 4 * vlans.length);
    assert.equal(header.check(view, 3, len), 0);
    assert.equal(header.headerLen, len);
    assert.equal(header.etherType, EtherType.arp);
    assert.equal(header.destination, macs.destination);
    assert.equal(header.source, macs.source);
    assert.equal(header.vlanCount, vlans.length);
    assert.equal(header.vlanId, vlans[0]?.id ?? -1);
    assert.equal(header.innerVlanId, vlans[1]?.id ?? -1);
  }
});

test('writeEthernetHeader() puts 802.1ad outside and 802.1Q inside, unless told', () => {
  const hex = ({ view, len }: { view: DataView; len: number }): string =>
    Buffer.from(view.buffer, 3 + 12, len - 12).toString('hex');
  const etherType = EtherType.ipv4;
  assert.equal(hex(written({ ...macs, etherType, vlans: [{ id: 1 }] })), '810000010800');
  assert.equal(
    hex(written({ ...macs, etherType, vlans: [{ id: 1, priority: 5, dropEligible: true }, { id: 2 }] })),
    '88a8b001810000020800',
  );
  assert.equal(
    hex(written({ ...macs, etherType, vlans: [{ id: 1, etherType: EtherType.vlan }, { id: 2 }] })),
    '81000001810000020800',
  );
});

test('ethernetHeaderLen() refuses frames that end inside the header or a tag', () => {
  const { view } = written({ ...macs, etherType: EtherType.ipv4, vlans: [{ id: 1 }, { id: 2 }] }, 0);
  for (let len = 0; len < 14; len++)
    assert.equal(ethernetHeaderLen(view, 0, len), FrameError.ethernetTruncated);
  for (let len = 14; len < 22; len++) assert.equal(ethernetHeaderLen(view, 0, len), FrameError.vlanTruncated);
  assert.equal(ethernetHeaderLen(view, 0, 22), 22);
});

test('ethernetHeaderLen() refuses a third tag', () => {
  const { view } = written({ ...macs, etherType: EtherType.vlan, vlans: [{ id: 1 }, { id: 2 }] }, 0);
  assert.equal(ethernetHeaderLen(view, 0, 64), FrameError.tooManyVlanTags);
});

test('EthernetHeader shows the length of an 802.3 frame as its type', () => {
  const { view } = written({ ...macs, etherType: 46 }, 0);
  const header = new EthernetHeader();
  assert.equal(header.check(view, 0, 60), 0);
  assert.equal(header.etherType, 46);
});

test('writeEthernetHeader() refuses fields that do not fit', () => {
  const etherType = EtherType.ipv4;
  assert.throws(() => written({ ...macs, etherType, vlans: [{ id: 4096 }] }), {
    name: 'RangeError',
    message: 'Cannot write VLAN id 4096: wanted an integer from 0 to 4095',
  });
  assert.throws(() => written({ ...macs, etherType, vlans: [{ id: 1, priority: 8 }] }), RangeError);
  assert.throws(() => written({ ...macs, etherType, vlans: [{ id: 1 }, { id: 2 }, { id: 3 }] }), RangeError);
  assert.throws(() => written({ ...macs, etherType: 0x10000 }), RangeError);
  assert.throws(() => written({ ...macs, source: new Uint8Array(4), etherType }), TypeError);
});
