import type { Fd } from '../sys/index.ts';
import type { MemifConnection } from './connection.ts';
import type { Message } from './protocol.ts';

/** A message to be sent, with the descriptor that goes with it. */
export interface Outgoing {
  readonly message: Message;
  readonly fd?: number;
}

/** What one message of the peer led to: an answer, the connection (after the answer was sent), or the end. */
export interface HandshakeStep {
  readonly send?: Outgoing;
  readonly connection?: MemifConnection;
  /** why it has come to nothing, for the peer and the statistics */
  readonly refusal?: string;
}

/**
 * One side of the dialogue that leads to a connection: messages in, messages out, no socket in sight.
 *
 *     server                         client
 *     HELLO            ------------>            what I take at most
 *                      <------------  INIT      which interface, the secret
 *     ACK              ------------>
 *                      <------------  ADD_REGION with a memfd, for each region;   ACK
 *                      <------------  ADD_RING with an eventfd, for each ring;    ACK
 *                      <------------  CONNECT
 *     CONNECTED        ------------>
 *
 * DISCONNECT may come at any time, and is not a handshake's to handle.
 *
 * @source memif_socket.c of DPDK, whose client sends its next message when anything has come
 */
export interface Handshake {
  /** the name that the peer's application gave, empty before */
  readonly remoteName: string;
  /** what this side says first, if it is the one to begin */
  readonly opening: Outgoing | undefined;
  /**
   * Judges the next message. After a refusal or a connection there is no next one.
   *
   * @param fds - descriptors that came with it; those that it does not keep are the caller's to close
   */
  receive(message: Message, fds: readonly Fd[]): HandshakeStep;
}
