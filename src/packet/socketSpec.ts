import type { UdpDestination } from './flowFilter.ts';
import type { PacketLayoutSpec } from './layout.ts';

/** What packet socket to open; plain data. */
export interface PacketSocketSpec extends PacketLayoutSpec {
  /** in the calling thread's network namespace */
  readonly interface: string;
  /** receive only datagrams to these; default every frame */
  readonly flows?: readonly UdpDestination[];
  /**
   * with `flows`, hold a socket of the kernel on each of their ports, which drops what it gets: otherwise the kernel
   * answers each datagram with ICMP "port unreachable". A port that another socket has is reported; default true
   */
  readonly quiet?: boolean;
  /** send straight to the driver, past queueing disciplines: faster, and a full NIC drops; default false */
  readonly qdiscBypass?: boolean;
  /** let in frames for any address; default false */
  readonly promiscuous?: boolean;
  /** multicast groups to join, which the kernel reports to the network */
  readonly groups?: readonly string[];
  /** throw instead of running weaker than asked; default false */
  readonly strict?: boolean;
  /** prove the owner of every chunk and slot at every step; slow; default false */
  readonly debug?: boolean;
}
