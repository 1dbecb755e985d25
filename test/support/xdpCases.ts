import { describe, it } from 'node:test';
import { leakedFds } from '../../src/sys/index.ts';
import { descriptorCases } from './xdpCasesDescriptors.ts';
import { ownershipCases } from './xdpCasesOwnership.ts';
import { pollingCases } from './xdpCasesPolling.ts';
import { type XdpCases, type XdpEnvironment, XdpRig } from './xdpCasesRig.ts';
import { sharingCases } from './xdpCasesSharing.ts';
import { statisticsCases } from './xdpCasesStatistics.ts';
import { teardownCases } from './xdpCasesTeardown.ts';
import { trafficCases } from './xdpCasesTraffic.ts';

export type { WireOptions, XdpEnvironment } from './xdpCasesRig.ts';

const groups: Readonly<Record<string, XdpCases>> = {
  traffic: trafficCases,
  polling: pollingCases,
  statistics: statisticsCases,
  descriptors: descriptorCases,
  sharing: sharingCases,
  teardown: teardownCases,
  ownership: ownershipCases,
};

/**
 * Runs every case of AF_XDP in an environment: the kernel's own list of them, and what Barewire promises beside it. One
 * list for copy mode on veth and zero-copy in a virtual machine. After each case every chunk is accounted for.
 */
export function xdpCases(environment: XdpEnvironment): void {
  describe(`AF_XDP cases: ${environment.name}`, () => {
    for (const [group, cases] of Object.entries(groups)) {
      describe(group, () => {
        for (const [name, { run, ...needs }] of Object.entries(cases)) {
          it(name, { skip: environment.skip?.[name] ?? false }, async (t) => {
            if (environment.available?.(t) === false) return;
            const before = leakedFds().length;
            const rig = new XdpRig(environment, needs);
            try {
              await run(rig, t);
              rig.assertAllReturned();
            } catch (error) {
              rig.abandon();
              throw error;
            }
            rig[Symbol.dispose]();
            t.assert.equal(leakedFds().length, before, 'descriptors left open');
          });
        }
      });
    }
    const known = new Set(Object.values(groups).flatMap((cases) => Object.keys(cases)));
    it('skips only cases that there are', (t) => {
      t.assert.deepEqual(
        Object.keys(environment.skip ?? {}).filter((name) => !known.has(name)),
        [],
      );
    });
  });
}
