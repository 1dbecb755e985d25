import { wrapInCapture } from './capturePort.ts';
import { wrapInFaults } from './faultPort.ts';
import type { Port } from './port.ts';
import type { PortSpec } from './portSpec.ts';
import { wrapInTrace } from './tracePort.ts';

/**
 * Puts a port around a port, as an option of the spec asks.
 *
 * @param value - of the option
 * @param spec - what the port was opened by, with all of its options
 */
export type WrapPort = (port: Port, value: string, spec: PortSpec) => Port;

/**
 * What every port can be wrapped in, by option; the first is the innermost, however the spec puts them.
 *
 * Faults imitate a bad wire, so what looks on stands outside of them: capture and trace see what the program sees.
 */
const WRAPPERS: ReadonlyMap<string, WrapPort> = new Map<string, WrapPort>([
  ['faults', wrapInFaults],
  ['capture', wrapInCapture],
  ['trace', wrapInTrace],
]);

/** Returns the spec without the options that are for wrappers: what is left is for the scheme. */
export function withoutWrappers(spec: PortSpec): PortSpec {
  const options = new Map([...spec.options].filter(([key]) => !WRAPPERS.has(key)));
  return { ...spec, options, everyPort: [...WRAPPERS.keys()] };
}

/**
 * Wraps a port as the options of its spec ask; without any it stays as it is.
 *
 * @throws what a wrapper throws; the port is then closed
 */
export function wrapPort(port: Port, spec: PortSpec): Port {
  let wrapped = port;
  try {
    for (const [key, wrap] of WRAPPERS) {
      const value = spec.options.get(key);
      if (value !== undefined) wrapped = wrap(wrapped, value, spec);
    }
  } catch (error) {
    wrapped.close();
    throw error;
  }
  return wrapped;
}
