/** Why a case that makes network namespaces cannot run; undefined when it can. */
export function needsRoot(): string | undefined {
  return process.geteuid?.() === 0 ? undefined : 'it makes network namespaces and needs root';
}
