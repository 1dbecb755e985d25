/**
 * Why a case that makes network namespaces cannot run; undefined when it can.
 *
 * @param via - what it is to run over: memif needs none
 */
export function needsRoot(via?: string): string | undefined {
  if (via?.startsWith('memif')) return undefined;
  return process.geteuid?.() === 0 ? undefined : 'it makes network namespaces and needs root';
}
