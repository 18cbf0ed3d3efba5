import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { PeerEvent } from './event.ts';
import { answerHead, identityHeaders, judgeUpgrade, type Refusal, type UpgradeVerdict } from './handshake.ts';
import { type ProtocolRange, protocolName, protocolOffer } from './protocol-range.ts';
import { CHALLENGE, type SignAnswer, TokenGate } from './token-proof.ts';
import type { PeerHandlers, PeerIdentity } from './transport.ts';

export interface ListenerOptions {
  readonly handlers: Pick<PeerHandlers, 'identity' | 'admit'>;
  readonly token: string | null;
  readonly protocols: ProtocolRange;
  /** How long a refused dialler may take to read why. */
  readonly closeTimeoutMs: number;
  readonly onEvent: (event: PeerEvent) => void;
  /** A peer was admitted; the socket belongs to the callee. */
  readonly onOpened: (peer: PeerIdentity, connection: AcceptedConnection) => void;
}

export interface AcceptedConnection {
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly remote: string;
  /** The newest that both ends speak. */
  readonly protocol: number;
}

/** The accepting end of peer connections: answers each Upgrade on the cluster port. */
export class PeerListener {
  readonly #options: ListenerOptions;
  readonly #gate: TokenGate | null;
  /** Sockets that were answered and are on their way out. */
  readonly #leaving = new Set<Duplex>();
  #running = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#gate = options.token === null ? null : new TokenGate(options.token);
  }

  start(): void {
    this.#running = true;
  }

  stop(): void {
    this.#running = false;
    for (const socket of this.#leaving) socket.destroy();
  }

  /** Answers every case. What is wrong with the request or its connection never throws. */
  handle(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { handlers, onEvent, onOpened } = this.#options;
    // A connection that breaks while it is being answered needs no answer; 'close' follows and cleans up.
    socket.on('error', () => socket.destroy());
    const remote = remoteOf(socket);
    const verdict = this.#judge(request);
    switch (verdict.type) {
      case 'accepted':
        socket.write(answerHead('101 Switching Protocols', this.#upgradeHeaders(verdict)));
        onOpened(verdict.peer, { socket, head, remote, protocol: verdict.protocol });
        return;
      case 'identify':
        this.#answer(socket, '200 OK', verdict.sign(identityHeaders(handlers.identity())));
        return;
      case 'challenge':
        this.#answer(socket, STATUS[401], { [CHALLENGE]: verdict.challenge });
        return;
      case 'refused': {
        const { node, status, reason, headers } = verdict;
        onEvent({ type: 'linkRefused', node, direction: 'accepted', remote, reason });
        this.#answer(socket, STATUS[status], { ...this.#refusalHeaders(status), ...headers }, reason);
        return;
      }
    }
  }

  #judge(request: IncomingMessage): UpgradeVerdict {
    if (!this.#running) return NOT_RUNNING;
    const { handlers, protocols } = this.#options;
    return judgeUpgrade({
      protocols,
      headers: request.headers,
      gate: this.#gate,
      self: handlers.identity(),
      admit: (peer) => handlers.admit(peer),
    });
  }

  #upgradeHeaders({ protocol, sign }: { protocol: number; sign: SignAnswer }): Record<string, string> {
    const identity = identityHeaders(this.#options.handlers.identity());
    return { Connection: 'Upgrade', ...sign({ Upgrade: protocolName(protocol), ...identity }) };
  }

  #refusalHeaders(status: Refusal['status']): Record<string, string> {
    return status === 426 ? { Upgrade: protocolOffer(this.#options.protocols) } : {};
  }

  /** Writes a whole answer and closes; a client that does not let go is cut off. */
  #answer(socket: Duplex, status: string, headers: Record<string, string>, text = ''): void {
    const body = text === '' ? '' : `${text}\n`;
    const head = answerHead(status, {
      ...headers,
      Connection: 'close',
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': String(Buffer.byteLength(body)),
    });
    const timer = setTimeout(() => socket.destroy(), this.#options.closeTimeoutMs);
    this.#leaving.add(socket);
    socket.on('close', () => {
      clearTimeout(timer);
      this.#leaving.delete(socket);
    });
    // What else the client sends is read and thrown away: an unread rest would reset the connection under our answer.
    socket.on('end', () => socket.destroy());
    socket.resume();
    socket.end(head + body);
  }
}

const STATUS: Readonly<Record<Refusal['status'], string>> = {
  400: '400 Bad Request',
  401: '401 Unauthorized',
  409: '409 Conflict',
  426: '426 Upgrade Required',
  503: '503 Service Unavailable',
};

const NOT_RUNNING: Refusal = {
  type: 'refused',
  status: 503,
  reason: 'this node is not taking part now: try again later',
  node: null,
};

function remoteOf(socket: Duplex): string {
  if (!(socket instanceof Socket) || socket.remoteAddress === undefined) return 'unknown';
  const { remoteAddress, remotePort } = socket;
  return remoteAddress.includes(':') ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
}
