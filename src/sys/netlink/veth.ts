import type { NetworkNamespace } from '../netns.ts';
import {
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_NUM_RX_QUEUES,
  IFLA_NUM_TX_QUEUES,
  ifinfomsg,
  NLM_F_CREATE,
  NLM_F_EXCL,
  VETH_INFO_PEER,
} from '../uapi/index.ts';
import { describeLink, type LinkChange, linkMessage } from './linkChange.ts';
import { withNetlink } from './socket.ts';

/** What to make of a veth pair. */
export interface VethPairSpec {
  /** the end in the calling thread's namespace */
  readonly name: string;
  readonly peerName: string;
  /** where the other end goes; the calling thread's namespace when absent */
  readonly peerNamespace?: NetworkNamespace;
  /** of each end, 1 when absent */
  readonly rxQueues?: number;
  /** of each end, 1 when absent */
  readonly txQueues?: number;
  readonly mac?: string;
  readonly peerMac?: string;
  /** of both ends [bytes] */
  readonly mtu?: number;
}

/**
 * Creates two interfaces that are wired to each other; both are down.
 *
 * @throws SystemError EEXIST when a name is taken, EPERM without CAP_NET_ADMIN
 */
export function createVethPair(spec: VethPairSpec): void {
  const { rxQueues = 1, txQueues = 1 } = spec;
  const message = linkMessage(NLM_F_CREATE | NLM_F_EXCL, 0);
  const end = (change: LinkChange): void => {
    describeLink(message, spec.mtu === undefined ? change : { ...change, mtu: spec.mtu });
    message.u32(IFLA_NUM_RX_QUEUES, rxQueues).u32(IFLA_NUM_TX_QUEUES, txQueues);
  };
  end({ name: spec.name, ...(spec.mac === undefined ? {} : { mac: spec.mac }) });
  const peer = {
    name: spec.peerName,
    ...(spec.peerMac === undefined ? {} : { mac: spec.peerMac }),
    ...(spec.peerNamespace === undefined ? {} : { namespace: spec.peerNamespace }),
  };
  message.nested(IFLA_LINKINFO, () => {
    message.text(IFLA_INFO_KIND, 'veth').nested(IFLA_INFO_DATA, () => {
      message.nested(VETH_INFO_PEER, () => end(peer), ifinfomsg.sizeof);
    });
  });
  const subject = `${spec.name}, ${spec.peerName}`;
  withNetlink((socket) =>
    socket.request({ action: 'Cannot create veth pair', syscall: 'netlink(RTM_NEWLINK)', subject }, message),
  );
}
