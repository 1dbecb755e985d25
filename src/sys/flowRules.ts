import { constants } from 'node:os';
import { SystemError } from './error.ts';
import { optional } from './ethtool.ts';
import { features } from './features.ts';
import { encodeFlowRule, type FlowMatch, type ListedFlowRule, sameFlow } from './flowRuleCodec.ts';
import { FlowRuleTable } from './flowRuleTable.ts';

/** What to steer where. */
export interface FlowRuleSpec extends FlowMatch {
  /** in the calling thread's network namespace */
  readonly interface: string;
  /** the nicQueue */
  readonly queue: number;
  /** take the place of a rule that takes the same datagrams, wherever they go now; default false */
  readonly replace?: boolean;
}

/** A rule that takes the same datagrams and was there before. */
export type EarlierFlowRule = Pick<ListedFlowRule, 'location' | 'queue'>;

/**
 * A rule in the NIC that steers UDP datagrams to one nicQueue, removed when this object is closed.
 *
 * It switches nothing on: the interface's feature rx-ntuple-filter must be.
 *
 * NB: NICs know no owner of a rule and the kernel removes none at the end of a process: after kill -9 it stays, and
 * goes on steering. The next start finds it by what it takes: one that steers to the same queue is used as it is and
 * left in place at the end, since it may as well be the operator's; `replace` makes it ours. One that steers
 * elsewhere is an error that names it, unless `replace`.
 *
 * @source linux/ethtool.h, ETHTOOL_SRXCLSRLINS; Documentation/networking/scaling.rst, "RSS: Receive Side Scaling"
 */
export class FlowRule implements Disposable {
  readonly interface: string;
  readonly queue: number;
  /** its place in the interface's table of rules */
  readonly location: number;
  /** the rule that took the same datagrams before us, which was replaced or is used; undefined when there was none */
  readonly earlier: EarlierFlowRule | undefined;
  /** false when an earlier rule is used, which {@link FlowRule.close} leaves */
  readonly owned: boolean;
  readonly #table: FlowRuleTable;
  #open = true;

  /**
   * Inserts the rule.
   *
   * @throws SystemError EOPNOTSUPP when the driver steers no flows, or the feature is off (the hint names the command);
   *   EEXIST when another rule steers the same elsewhere; EINVAL when the NIC has no such nicQueue or cannot compare
   *   these fields; ENOSPC, EPERM, ENODEV. An earlier rule that was taken off for it is put back and named
   * @throws TypeError, RangeError when `spec` cannot be
   */
  constructor(spec: FlowRuleSpec, table: FlowRuleTable = openTable(spec.interface)) {
    this.interface = spec.interface;
    this.queue = spec.queue;
    this.#table = table;
    try {
      encodeFlowRule(spec, spec.queue, 0); // throws what is wrong with it before anything is touched
      const rules = optional(() => table.list()) ?? [];
      const earlier = rules.find(({ match }) => match !== undefined && sameFlow(match, spec));
      this.earlier = earlier && { location: earlier.location, queue: earlier.queue };
      if (earlier !== undefined && !spec.replace) {
        if (earlier.queue !== spec.queue) throw occupied(spec, earlier);
        this.owned = false;
        this.location = earlier.location;
      } else {
        this.owned = true;
        this.location =
          earlier === undefined ? table.insert(spec, spec.queue) : insertInstead(table, earlier, spec);
      }
    } catch (error) {
      table.close();
      throw error;
    }
  }

  /** Removes the rule, unless it is not ours or is gone already. Idempotent. @throws SystemError when it stays */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    try {
      if (this.owned) this.#table.remove(this.location);
    } catch (error) {
      // The interface or the rule went first.
      const gone = error instanceof SystemError && (error.code === 'ENODEV' || error.code === 'ENOENT');
      if (!gone) throw error;
    } finally {
      this.#table.close();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Returns the rules that steer flows in an interface, whoever made them; undefined when its driver steers none.
 *
 * @throws SystemError ENODEV
 */
export function flowRules(name: string): readonly ListedFlowRule[] | undefined {
  using table = new FlowRuleTable(name);
  return optional(() => table.list());
}

const FEATURE = 'rx-ntuple-filter';

/** Opens the table of an interface whose NIC acts on rules: some drivers take them while that is switched off. */
function openTable(name: string): FlowRuleTable {
  const feature = features(name).get(FEATURE);
  if (feature && !feature.active && !feature.fixed) {
    throw new SystemError('Cannot insert flow rule into', {
      syscall: 'ioctl(ETHTOOL_SRXCLSRLINS)',
      errno: constants.errno.EOPNOTSUPP,
      subject: name,
      detail: `${FEATURE} is off`,
      hint: `Switch it on with \`ethtool -K ${name} ntuple on\``,
    });
  }
  return new FlowRuleTable(name);
}

/** Takes the earlier rule off and inserts ours: some NICs take no two for the same. @returns the location of ours */
function insertInstead(table: FlowRuleTable, earlier: ListedFlowRule, spec: FlowRuleSpec): number {
  table.remove(earlier.location);
  try {
    return table.insert(spec, spec.queue);
  } catch (error) {
    const fate = putBack(table, earlier, spec);
    if (!(error instanceof SystemError)) throw error;
    throw new SystemError(actionOf(spec), {
      syscall: error.syscall,
      errno: -error.errno,
      subject: spec.interface,
      detail: `rule ${earlier.location}, which steered the same datagrams ${whither(earlier)}, was taken off for it and ${fate}`,
      cause: error,
    });
  }
}

/** Inserts a rule that was taken off. @returns what became of it */
function putBack(table: FlowRuleTable, { match, queue }: ListedFlowRule, spec: FlowRuleSpec): string {
  if (queue === undefined) return 'cannot be put back, since it has no nicQueue';
  try {
    return `is back as rule ${table.insert(match ?? spec, queue)}`;
  } catch (error) {
    return `cannot be put back: ${error instanceof Error ? error.message : error}`;
  }
}

const actionOf = ({ port, queue }: FlowRuleSpec): string => `Cannot steer port ${port} to queue ${queue} of`;

const whither = ({ queue }: ListedFlowRule): string =>
  queue === undefined ? 'elsewhere' : `to queue ${queue}`;

function occupied(spec: FlowRuleSpec, earlier: ListedFlowRule): SystemError {
  const { location } = earlier;
  return new SystemError(actionOf(spec), {
    syscall: 'ioctl(ETHTOOL_SRXCLSRLINS)',
    errno: constants.errno.EEXIST,
    subject: spec.interface,
    detail: `rule ${location} steers the same datagrams ${whither(earlier)}`,
    hint: `Ask for it to be replaced, or remove it with \`ethtool -N ${spec.interface} delete ${location}\``,
  });
}
