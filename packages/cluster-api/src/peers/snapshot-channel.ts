import type { Duplex } from 'node:stream';
import type { SnapshotFrame } from './snapshot-frame.ts';
import type { PeerIdentity } from './transport.ts';

/** One open connection, as those see it who send and receive snapshots over it. */
export interface SnapshotChannel {
  readonly peer: PeerIdentity;
  /** Aborted when the connection is gone: what was sent last may be lost. */
  readonly gone: AbortSignal;
  /** Does nothing on a connection that is closing. */
  send(frame: SnapshotFrame): void;
  /** Resolves once hardly anything waits to be sent, or the connection is gone: messages go first. */
  quiet(): Promise<void>;
  /** Closes the connection to a peer that does not keep the rules. */
  destroy(reason: string): void;
}

/** Above every stream's high-water mark, so that a socket that holds more tells when it is drained. */
const QUIET_BYTES = 128 * 1024;

/** Resolves once no more than a little waits in the socket, or `gone` is aborted. */
export function whenQuiet(socket: Duplex, gone: AbortSignal): Promise<void> {
  if (gone.aborted || socket.writableLength <= QUIET_BYTES) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      socket.off('drain', end);
      gone.removeEventListener('abort', end);
      resolve();
    };
    socket.on('drain', end);
    gone.addEventListener('abort', end);
  });
}
