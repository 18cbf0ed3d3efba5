import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Notices the first connection to any of some servers, and the end of the last one. */
export class ClientCount {
  readonly #onPresent: (isSomebodyThere: boolean) => void;
  #connections = 0;

  constructor(onPresent: (isSomebodyThere: boolean) => void) {
    this.#onPresent = onPresent;
  }

  watch(server: Server): void {
    server.on('connection', (socket: Socket) => {
      this.#connections += 1;
      if (this.#connections === 1) this.#onPresent(true);
      socket.once('close', () => {
        this.#connections -= 1;
        if (this.#connections === 0) this.#onPresent(false);
      });
    });
  }
}
