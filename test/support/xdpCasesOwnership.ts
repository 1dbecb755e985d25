import type { XdpCases } from './xdpCasesRig.ts';
export const ownershipCases: XdpCases = {};
