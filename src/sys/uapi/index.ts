/**
 * The kernel's own structs and constants, under the kernel's own names.
 *
 * Job: spare every other folder from typing a number that the kernel has already written down.
 *
 * Data: a constant is a number; a struct is an object of member offsets, with the size under `sizeof`. [bytes]
 *
 * Invariants
 * - Everything is generated (tools/uapi) and committed; a test compares it with the running kernel's BTF and with the
 *   installed headers. To have more, add the name to tools/uapi/manifest.ts and generate again.
 * - Structs are laid out alike on x86-64 and arm64; numbers of system calls differ and are chosen at load.
 *
 * Not here: anything that reads or writes these structs.
 *
 * References: include/uapi/linux of the kernel's sources, Documentation/bpf/btf.rst.
 */
export * from './generated/index.ts';
