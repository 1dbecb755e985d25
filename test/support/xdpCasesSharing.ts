import type { XdpCases } from './xdpCasesRig.ts';
export const sharingCases: XdpCases = {};
