/** Which tap interface to make or to attach to, in the calling thread's network namespace; plain data. */
export interface TapSpec {
  /** its name; `%d` in it, as in the default `tap%d`, is replaced by the first free number */
  interface?: string;
  /** longest packet, without the Ethernet header; default as it is, 1500 for a new one [bytes] */
  mtu?: number;
  /** frames that the kernel keeps for us, 1 or more; default as it is, 500 for a new one */
  txQueueLen?: number;
  /** bring the interface up; default true */
  up?: boolean;
  /** addresses of the kernel's end: `10.0.0.2/24` */
  addresses?: readonly string[];
  /** addresses of our end: the kernel need not ask who has them, as nobody here answers ARP */
  neighbours?: readonly string[];
  /** hardware address of our end; default the interface's with the last bit flipped */
  mac?: string;
}
