import { XDP_DROP, XDP_PASS, XDP_TX } from '../sys/uapi/index.ts';
import { Assembler } from './assembler.ts';
import type { ProgramSpec } from './programSpec.ts';
import { r0 } from './registers.ts';

type Verdict = 'XDP_DROP' | 'XDP_PASS' | 'XDP_TX';

const actions: Record<Verdict, number> = { XDP_DROP, XDP_PASS, XDP_TX };

/**
 * Returns an XDP program that decides the same for every frame.
 *
 * XDP_TX makes an injector for {@link BpfProgram.injectFrames}; XDP_PASS on the other end of a veth pair is what lets
 * that end take injected and redirected frames.
 */
export function verdictProgramSpec(verdict: Verdict): ProgramSpec {
  const a = new Assembler();
  a.mov(r0, actions[verdict]);
  a.exit();
  return { name: verdict.toLowerCase(), type: 'xdp', assembly: a.assemble() };
}
