import { LoopPort } from './loopPort.ts';
import { OptionReader, type PortSpec } from './portSpec.ts';

const OPTIONS = ['chunks', 'ring', 'debug'];

/** Ends of loops that were opened once and wait for the second opener, by name. */
const waiting = new Map<string, LoopPort>();

/** Opens an end of `loop:NAME`: the first opener of a name gets one end, the second the other. */
export function openLoopPort(spec: PortSpec): LoopPort {
  const reader = new OptionReader(spec);
  const chunkCount = reader.integer('chunks');
  const ringSize = reader.integer('ring');
  const debug = reader.flag('debug');
  reader.end(OPTIONS);
  const second = waiting.get(spec.target);
  if (second !== undefined) {
    waiting.delete(spec.target);
    return second;
  }
  const [first, other] = LoopPort.pair({
    name: spec.text,
    ...(chunkCount === undefined ? {} : { chunkCount }),
    ...(ringSize === undefined ? {} : { ringSize }),
    ...(debug === undefined ? {} : { debug }),
  });
  waiting.set(spec.target, other);
  return first;
}
