import { addressOf, libc } from '../ffi/index.ts';
import { BPF_OBJ_NAME_LEN, SYS_bpf } from '../sys/uapi/index.ts';

const EAGAIN = 11;

/**
 * A zeroed struct for the kernel, such as `union bpf_attr`, with the memory that it points at.
 *
 * Whoever made a call with it reads it, or calls {@link bpf}, afterwards: that keeps the memory it points at alive.
 */
export class BpfStruct {
  /** the struct's bytes */
  readonly view: DataView<ArrayBuffer>;
  readonly #pointees: ArrayBufferView[] = [];

  /** @param len - [bytes] */
  constructor(len: number) {
    this.view = new DataView(new ArrayBuffer(len));
  }

  /** Returns a u32 field, such as one that the kernel has filled in. */
  get(offset: number): number {
    return this.view.getUint32(offset, true);
  }

  /** Sets a u32 field, or the low half of a u64. */
  set(offset: number, value: number): void {
    this.view.setUint32(offset, value, true);
  }

  /** Points a field at memory that the kernel reads or writes. */
  point(offset: number, memory: ArrayBufferView): void {
    this.#pointees.push(memory);
    this.view.setBigUint64(offset, BigInt(addressOf(memory)), true);
  }

  /** Writes the name of a map or program. @throws TypeError when the kernel would not take it */
  setName(offset: number, name: string): void {
    if (!OBJECT_NAME.test(name)) {
      throw new TypeError(
        `Cannot name BPF object '${name}': 1 to 15 letters, digits, underscores and dots are allowed`,
      );
    }
    for (let i = 0; i < name.length; i++) this.view.setUint8(offset + i, name.charCodeAt(i));
  }

  /** Returns the name that the kernel has written. */
  getName(offset: number): string {
    const bytes = new Uint8Array(this.view.buffer, offset, BPF_OBJ_NAME_LEN);
    return String.fromCharCode(...bytes.subarray(0, bytes.indexOf(0)));
  }

  /** Lets go of the memory that the struct points at, which until here the collector does not free. */
  release(): void {
    this.#pointees.length = 0;
  }
}

const OBJECT_NAME = /^[A-Za-z0-9_.]{1,15}$/;

/**
 * Makes the system call bpf(2); returns its result, or a negative errno.
 *
 * Repeats a load that a signal cut short (EAGAIN), as libbpf does.
 *
 * @param attr - released by the call; its fields may be read afterwards
 */
export function bpf(command: number, attr: BpfStruct): number {
  let result: number;
  let attempts = 5;
  do {
    result = libc.syscall(SYS_bpf, command, addressOf(attr.view), attr.view.byteLength, 0, 0, 0);
    if (result < 0) result = -libc.errno();
  } while (result === -EAGAIN && --attempts > 0);
  attr.release();
  return result;
}
