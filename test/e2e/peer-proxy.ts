import { once } from 'node:events';
import net from 'node:net';

/** A way to a node that can be made to fail: passes bytes on, and cuts its connections after as many as it is told. */
export class PeerProxy {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  #passed = 0;
  #cutAt = Number.POSITIVE_INFINITY;

  private constructor(server: net.Server) {
    this.#server = server;
  }

  /** Listens at `port` and passes on to `target`, both on this machine. */
  static async start(port: number, target: number): Promise<PeerProxy> {
    const server = net.createServer();
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const proxy = new PeerProxy(server);
    server.on('connection', (socket) => proxy.#connect(socket, net.connect(target, '127.0.0.1')));
    return proxy;
  }

  /** Bytes that went to the target. */
  get passed(): number {
    return this.#passed;
  }

  /** Cuts every connection, once, when so many more bytes have passed. */
  cutAfter(bytes: number): void {
    this.#cutAt = this.#passed + bytes;
  }

  async close(): Promise<void> {
    this.#cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #connect(client: net.Socket, target: net.Socket): void {
    for (const [socket, peer] of [
      [client, target],
      [target, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        peer.destroy();
      });
    }
    target.pipe(client);
    client.on('data', (chunk) => {
      this.#passed += chunk.length;
      if (this.#passed >= this.#cutAt) {
        this.#cutAt = Number.POSITIVE_INFINITY;
        this.#cut();
        return;
      }
      if (target.write(chunk)) return;
      client.pause();
      target.once('drain', () => client.resume());
    });
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
