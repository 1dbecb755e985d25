/** One end of a {@link Wire}. */
export interface WireEnd {
  /** what to open here, as a spec; undefined where the kernel has this end to itself */
  readonly via: string | undefined;
  /** network namespace of this end: a path; undefined for the process's own */
  readonly netns: string | undefined;
  /** the kernel's interface here; undefined where no socket of the kernel reaches the wire */
  readonly interface: string | undefined;
  /** IP address */
  readonly address: string;
  /** hardware address; undefined where nobody has to name it */
  readonly mac: string | undefined;
}

/** How sockets of the kernel carry what the wire carries, to compare with. */
export interface KernelPath {
  /** where the receiver's socket is bound */
  readonly address: string;
  readonly receiverNetns: string | undefined;
  readonly senderNetns: string | undefined;
  /** it is this host's loopback, since the wire has no kernel at both ends */
  readonly isLoopback: boolean;
}

/**
 * A wire that this program makes itself, for one kind of port; nothing of the user's is touched, and nothing is left.
 *
 * @see makeWire
 */
export interface Wire extends Disposable {
  readonly receiver: WireEnd;
  readonly sender: WireEnd;
  /** UDP port that orders go to; 0 where the receiver takes any free one */
  readonly udpPort: number;
  readonly kernelPath: KernelPath;
  /** how the receiver runs once the sender is there, where it cannot know before */
  readonly mode?: string;
}

/** What whoever makes a wire may ask of it. */
export interface WireOptions {
  /** room on the receiver's ring, where a ring loses what it has no room for; default the port's [frames] */
  readonly rxRing?: number;
}

/** UDP port that orders go to on every wire of its own. */
export const ORDER_UDP_PORT = 9000;

/** Loopback, for wires that have no kernel at both ends. */
export const LOOPBACK_PATH: KernelPath = {
  address: '127.0.0.1',
  receiverNetns: undefined,
  senderNetns: undefined,
  isLoopback: true,
};
