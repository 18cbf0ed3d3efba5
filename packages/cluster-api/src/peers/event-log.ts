import type { Logger } from 'pino';
import type { PeerEvent } from './event.ts';

/** Peers whose trouble is remembered; a stranger's attempts must not fill the memory. */
const MAX_REMEMBERED = 256;

/**
 * Writes into the log what is news about the connections to peers. A link that can't be opened is tried again every
 * other second: its trouble is told once, and again when its reason changes or after it has been mended.
 */
export class PeerEventLog {
  readonly #logger: Logger;
  /** The last trouble told, by peer and direction. */
  readonly #told = new Map<string, string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  write(event: PeerEvent): void {
    switch (event.type) {
      case 'linkOpened':
        this.#mended(event);
        return;
      case 'linkRefused':
        this.#trouble(`${event.node} ${event.direction}`, event, 'a peer connection was refused');
        return;
      case 'dialFailed':
        this.#trouble(`${event.node} dialled`, event, `node ${event.node} can't be reached`);
        return;
      case 'frameRejected':
        this.#logger.warn(event, 'a peer sent what the protocol does not know');
        return;
      case 'linkClosed':
      case 'messagesDropped':
        this.#logger.debug(event, 'peer connection');
        return;
    }
  }

  #mended(event: Extract<PeerEvent, { type: 'linkOpened' }>): void {
    const known = this.#told.delete(`${event.node} ${event.direction}`);
    this.#logger[known ? 'info' : 'debug'](event, `connected with node ${event.node}`);
  }

  #trouble(about: string, event: Extract<PeerEvent, { reason: string }>, message: string): void {
    const isNews = this.#told.get(about) !== event.reason;
    this.#logger[isNews ? 'warn' : 'debug'](event, message);
    if (this.#told.size >= MAX_REMEMBERED) this.#told.clear();
    this.#told.set(about, event.reason);
  }
}
