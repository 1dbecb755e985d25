/** The rings of an AF_XDP socket in plain memory, as a port, with the kernel's side of them. */
export { RingPort } from '../../bench/micro/ringPort.ts';
