/** One of the eleven 64-bit registers; use the constants {@link r0} to {@link r10}. */
export interface Register {
  /** 0 to 10 */
  readonly index: number;
  /** `r3` */
  readonly name: string;
}

const register = (index: number): Register => Object.freeze({ index, name: `r${index}` });

/** Return value of a call, and of the program. */
export const r0: Register = register(0);
/** First argument: the context when the program starts; lost by a call. */
export const r1: Register = register(1);
/** Second argument; lost by a call. */
export const r2: Register = register(2);
/** Third argument; lost by a call. */
export const r3: Register = register(3);
/** Fourth argument; lost by a call. */
export const r4: Register = register(4);
/** Fifth argument; lost by a call. */
export const r5: Register = register(5);
/** Kept over calls. */
export const r6: Register = register(6);
/** Kept over calls. */
export const r7: Register = register(7);
/** Kept over calls. */
export const r8: Register = register(8);
/** Kept over calls. */
export const r9: Register = register(9);
/** Frame pointer: 512 bytes of stack lie below it; read-only. */
export const r10: Register = register(10);
