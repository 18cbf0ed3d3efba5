import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { printable, readIdentity } from './handshake.ts';
import { chooseProtocol, type ProtocolRange } from './protocol-range.ts';
import type { PeerIdentity } from './transport.ts';

export type DialOutcome =
  /** The Upgrade is done; `head` are the first bytes that came behind it. The caller owns the socket. */
  | {
      readonly type: 'opened';
      readonly peer: PeerIdentity;
      readonly socket: Duplex;
      readonly head: Buffer;
      readonly protocol: number;
    }
  | { readonly type: 'identified'; readonly peer: PeerIdentity }
  /** Somebody answered, and does not want this node. */
  | { readonly type: 'refused'; readonly reason: string }
  /** Nobody answered, or not now. */
  | { readonly type: 'failed'; readonly reason: string };

/**
 * Asks `addr` (`host:port`) for an Upgrade. Calls `settle` once, later, unless the returned function is called before;
 * that one gives up and closes what is open.
 */
export function dial(
  options: {
    readonly addr: string;
    readonly headers: Record<string, string>;
    /** What the headers offer. */
    readonly protocols: ProtocolRange;
    readonly timeoutMs: number;
  },
  settle: (outcome: DialOutcome) => void,
): () => void {
  let request: ClientRequest | null = null;
  const timer = setTimeout(
    () => finish(failed(`no answer within ${options.timeoutMs} ms`)),
    options.timeoutMs,
  );
  let open = true;
  const cancel = (): void => {
    if (!open) return;
    open = false;
    clearTimeout(timer);
    request?.destroy();
  };
  const finish = (outcome: DialOutcome): void => {
    if (!open) {
      if (outcome.type === 'opened') outcome.socket.destroy();
      return;
    }
    // An open connection belongs to the caller from now on; of any other the rest is not of interest.
    if (outcome.type === 'opened') request = null;
    cancel();
    settle(outcome);
  };
  const target = parseAddress(options.addr);
  if (!target) {
    queueMicrotask(() => finish(failed(`not an address (host:port): ${printable(options.addr)}`)));
    return cancel;
  }
  request = httpRequest({ ...target, path: '/', headers: options.headers, agent: false });
  request.on('upgrade', (response, socket, head) => {
    finish(readUpgrade(response, { socket, head }, options.protocols));
  });
  request.on('response', (response) => readAnswer(response, finish));
  request.on('error', (error) => finish(failed(printable(error.message))));
  request.end();
  return cancel;
}

const MAX_ANSWER_BYTES = 1024;

function readUpgrade(
  response: IncomingMessage,
  connection: { readonly socket: Duplex; readonly head: Buffer },
  offered: ProtocolRange,
): DialOutcome {
  const peer = readIdentity(response.headers);
  const protocol = chooseProtocol(response.headers.upgrade, offered);
  if (peer && protocol !== null) return { type: 'opened', peer, protocol, ...connection };
  connection.socket.destroy();
  return failed(
    peer
      ? 'the answer to the Upgrade chooses no protocol that was offered'
      : 'the answer to the Upgrade does not name a node',
  );
}

/** An answer other than 101: an identity, or a refusal with its reason as text. */
function readAnswer(response: IncomingMessage, finish: (outcome: DialOutcome) => void): void {
  const status = response.statusCode ?? 0;
  const peer = status === 200 ? readIdentity(response.headers) : null;
  if (peer) {
    finish({ type: 'identified', peer });
    return;
  }
  let text = '';
  const conclude = (): void => {
    const reason = `HTTP ${status}: ${printable(text) || 'no reason given'}`;
    finish({ type: status >= 400 && status < 500 ? 'refused' : 'failed', reason });
  };
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    text += chunk;
    if (text.length > MAX_ANSWER_BYTES) conclude();
  });
  response.on('end', conclude);
  response.on('error', conclude);
}

function failed(reason: string): DialOutcome {
  return { type: 'failed', reason };
}

/** `host:port`, or `[host]:port` for IPv6. */
function parseAddress(addr: string): { readonly host: string; readonly port: number } | null {
  const match = /^(?:\[([\da-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})$/.exec(addr);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host !== undefined && port > 0 && port <= 65_535 ? { host, port } : null;
}
