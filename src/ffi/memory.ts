import koffi from 'koffi';

/**
 * Returns an ArrayBuffer over the native memory at `ptr`.
 *
 * It owns nothing: whoever mapped the memory unmaps it, after {@link detachView} on every isolate that has a view.
 * Two views of one address are two ArrayBuffers; `sys/` keeps one per region and isolate.
 *
 * @param ptr - native address
 * @param len - [bytes]
 */
export function viewOf(ptr: number, len: number): ArrayBuffer {
  return koffi.view(BigInt(ptr), len);
}

/**
 * Detaches a view, so that later use of it throws or reads nothing instead of touching unmapped memory.
 *
 * The native memory itself is untouched. Idempotent.
 */
export function detachView(view: ArrayBuffer): void {
  if (!view.detached) view.transfer(0);
}

/**
 * Returns the native address of a typed array's first byte.
 *
 * NB: the garbage collector may free the array's memory once nothing refers to it: keep it alive until the kernel
 * has answered, and give the kernel memory that outlives a call only from a mapping.
 */
export function addressOf(memory: ArrayBufferView | ArrayBuffer): number {
  return Number(koffi.address(memory));
}

/** Copies the C string at `ptr`. @param len - at most so many bytes are read */
export function stringAt(ptr: number, len: number): string {
  const bytes = new Uint8Array(viewOf(ptr, len));
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(bytes.slice(0, end < 0 ? len : end));
}
