import { once } from 'node:events';
import net from 'node:net';

/** What the first line of a peer connection, an HTTP Upgrade, says about who opens it. */
const DIALLER = /^x-metad-node: *(\d+)\r$/im;
const HEAD_END = '\r\n\r\n';
const MAX_HEAD_BYTES = 64 * 1024;

/**
 * The ways between nodes, each of which can be blocked in one direction: bytes are held back then, as a network does that
 * loses packets. No connection is closed by it, so who waits for an answer goes on waiting.
 */
export class PeerNetwork {
  readonly #servers: net.Server[] = [];
  readonly #pipes = new Set<Pipe>();
  readonly #sockets = new Set<net.Socket>();
  readonly #blocked = new Set<string>();

  /** Listens at `port`, as the address of node `id`, and passes everything on to where it really listens. */
  async route(id: number, port: number, target: number): Promise<void> {
    const server = net.createServer((socket) => this.#accept(id, socket, target));
    this.#servers.push(server);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  }

  /** Blocks what node `from` sends to node `to`. */
  block(from: number, to: number): void {
    this.#blocked.add(`${from}-${to}`);
    this.#update();
  }

  /** Blocks everything between the groups, both ways. */
  part(...groups: readonly (readonly number[])[]): void {
    for (const group of groups) {
      const others = groups.filter((other) => other !== group).flat();
      for (const from of group) for (const to of others) this.block(from, to);
    }
  }

  /** Opens all ways: what was held back arrives. */
  heal(): void {
    this.#blocked.clear();
    this.#update();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) {
      server.close();
      await once(server, 'close');
    }
  }

  #update(): void {
    for (const pipe of this.#pipes) pipe.setOpen(!this.#blocked.has(`${pipe.from}-${pipe.to}`));
  }

  /** Who dials is known once the head of its request is here. */
  #accept(to: number, dialler: net.Socket, target: number): void {
    this.#keep(dialler);
    let head = Buffer.alloc(0);
    const collect = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      if (!head.includes(HEAD_END) && head.length < MAX_HEAD_BYTES) return;
      dialler.off('data', collect);
      dialler.pause();
      const from = Number(DIALLER.exec(head.toString('latin1'))?.[1] ?? 0);
      this.#join({ from, to }, dialler, net.connect(target, '127.0.0.1'), head);
    };
    dialler.on('data', collect);
  }

  #join({ from, to }: Way, dialler: net.Socket, target: net.Socket, head: Buffer): void {
    this.#keep(target);
    const pipes = [
      new Pipe({ from, to }, dialler, target, head),
      new Pipe({ from: to, to: from }, target, dialler, Buffer.alloc(0)),
    ];
    const end = (): void => {
      for (const pipe of pipes) this.#pipes.delete(pipe);
      dialler.destroy();
      target.destroy();
    };
    dialler.on('close', end);
    target.on('close', end);
    for (const pipe of pipes) this.#pipes.add(pipe);
    this.#update();
  }

  #keep(socket: net.Socket): void {
    this.#sockets.add(socket);
    // What has failed is closed next.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
  }
}

interface Way {
  readonly from: number;
  readonly to: number;
}

/** One direction of one connection. */
class Pipe {
  readonly from: number;
  readonly to: number;
  readonly #source: net.Socket;
  readonly #sink: net.Socket;
  #head: Buffer;

  constructor(way: Way, source: net.Socket, sink: net.Socket, head: Buffer) {
    this.from = way.from;
    this.to = way.to;
    this.#source = source;
    this.#sink = sink;
    this.#head = head;
    source.pause();
    source.on('data', (chunk) => {
      if (!sink.write(chunk)) source.pause();
    });
    sink.on('drain', () => this.#flow());
  }

  #open = false;

  setOpen(open: boolean): void {
    this.#open = open;
    if (open) this.#flow();
    else this.#source.pause();
  }

  #flow(): void {
    if (!this.#open) return;
    if (this.#head.length > 0) this.#sink.write(this.#head);
    this.#head = Buffer.alloc(0);
    this.#source.resume();
  }
}
