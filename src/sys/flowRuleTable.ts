import { constants } from 'node:os';
import { SystemError } from './error.ts';
import { type EthtoolCommand, ethtoolOn, openEthtool, optional } from './ethtool.ts';
import type { Fd } from './fd.ts';
import {
  decodeFlowRule,
  encodeFlowRule,
  type FlowMatch,
  type ListedFlowRule,
  LOCATION,
} from './flowRuleCodec.ts';
import {
  ETHTOOL_GRXCLSRLALL,
  ETHTOOL_GRXCLSRLCNT,
  ETHTOOL_GRXCLSRULE,
  ETHTOOL_SRXCLSRLDEL,
  ETHTOOL_SRXCLSRLINS,
  ethtool_rxnfc,
  RX_CLS_LOC_ANY,
  RX_CLS_LOC_SPECIAL,
} from './uapi/index.ts';

const GRXCLSRLCNT: EthtoolCommand = {
  command: ETHTOOL_GRXCLSRLCNT,
  syscall: 'ioctl(ETHTOOL_GRXCLSRLCNT)',
  action: 'Cannot count flow rules of',
};
const GRXCLSRLALL: EthtoolCommand = {
  command: ETHTOOL_GRXCLSRLALL,
  syscall: 'ioctl(ETHTOOL_GRXCLSRLALL)',
  action: 'Cannot list flow rules of',
};
const GRXCLSRULE: EthtoolCommand = {
  command: ETHTOOL_GRXCLSRULE,
  syscall: 'ioctl(ETHTOOL_GRXCLSRULE)',
  action: 'Cannot read flow rule of',
};
const SRXCLSRLINS: EthtoolCommand = {
  command: ETHTOOL_SRXCLSRLINS,
  syscall: 'ioctl(ETHTOOL_SRXCLSRLINS)',
  action: 'Cannot insert flow rule into',
};
const SRXCLSRLDEL: EthtoolCommand = {
  command: ETHTOOL_SRXCLSRLDEL,
  syscall: 'ioctl(ETHTOOL_SRXCLSRLDEL)',
  action: 'Cannot remove flow rule of',
};

/** Carries one ethtool request about flow rules to the interface; the answer comes back in `request`. */
export type FlowRuleTransport = (what: EthtoolCommand, request: DataView<ArrayBuffer>) => void;

/**
 * The rules that steer flows in an interface: a table of numbered places in the NIC.
 *
 * Bound to the network namespace that the calling thread was in. The table is shared with everybody on the host and has
 * no locks: another's insertion between our look and ours can take the same place.
 */
export class FlowRuleTable implements Disposable {
  readonly interface: string;
  readonly #socket: Fd | undefined;
  readonly #send: FlowRuleTransport;

  /** @param transport - what carries the requests; the ioctl when absent */
  constructor(name: string, transport?: FlowRuleTransport) {
    this.interface = name;
    if (transport) {
      this.#send = transport;
    } else {
      const socket = openEthtool();
      this.#socket = socket;
      this.#send = (what, request) => ethtoolOn(socket, name, what, request);
    }
  }

  /** Reads all rules. @throws SystemError EOPNOTSUPP when the driver steers no flows, ENODEV */
  list(): ListedFlowRule[] {
    return this.#locations(this.#count().count).map((location) => {
      const request = new DataView(new ArrayBuffer(ethtool_rxnfc.sizeof));
      request.setUint32(LOCATION, location, true);
      this.#send(GRXCLSRULE, request);
      return decodeFlowRule(request);
    });
  }

  /** Inserts a rule behind those that are there. @returns its location @throws SystemError */
  insert(match: FlowMatch, queue: number): number {
    const request = encodeFlowRule(match, queue, this.#freeLocation());
    this.#send(SRXCLSRLINS, request);
    return request.getUint32(LOCATION, true);
  }

  /** Removes a rule. @throws SystemError ENOENT when there is none (some drivers say EINVAL), ENODEV */
  remove(location: number): void {
    const request = new DataView(new ArrayBuffer(ethtool_rxnfc.sizeof));
    request.setUint32(LOCATION, location, true);
    this.#send(SRXCLSRLDEL, request);
  }

  /** Lets go of the interface; rules stay. Idempotent. */
  close(): void {
    this.#socket?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** How many rules there are, how many fit, and whether the driver chooses where. */
  #count(): { count: number; size: number; chooses: boolean } {
    const request = new DataView(new ArrayBuffer(ethtool_rxnfc.sizeof));
    this.#send(GRXCLSRLCNT, request);
    const data = request.getUint32(ethtool_rxnfc.data, true);
    return {
      count: request.getUint32(ethtool_rxnfc.rule_cnt, true),
      size: data & ~RX_CLS_LOC_SPECIAL,
      chooses: (data & RX_CLS_LOC_SPECIAL) !== 0,
    };
  }

  #locations(count: number): number[] {
    const request = new DataView(new ArrayBuffer(ethtool_rxnfc.rule_locs + 4 * count));
    request.setUint32(ethtool_rxnfc.rule_cnt, count, true);
    this.#send(GRXCLSRLALL, request);
    const found = Math.min(count, request.getUint32(ethtool_rxnfc.rule_cnt, true));
    return Array.from({ length: found }, (_, i) => request.getUint32(ethtool_rxnfc.rule_locs + 4 * i, true));
  }

  /** The last place that is free, where a rule overrides no other; as the ethtool command chooses. */
  #freeLocation(): number {
    // The refusal to count would say less than the refusal to insert.
    const table = optional(() => this.#count());
    if (table === undefined || table.chooses) return RX_CLS_LOC_ANY;
    const { count, size } = table;
    const taken = new Set(this.#locations(count));
    for (let location = size - 1; location >= 0; location--) if (!taken.has(location)) return location;
    throw new SystemError(SRXCLSRLINS.action, {
      syscall: SRXCLSRLINS.syscall,
      errno: constants.errno.ENOSPC,
      subject: this.interface,
      detail: `all ${size} places are taken`,
    });
  }
}
