import {
  type ClientRequest,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';
import type { Duplex } from 'node:stream';
import { parseDialAddress } from '../config/address.ts';
import { printable, readIdentity, readWithout, TOKEN_ADVICE } from './handshake.ts';
import { chooseProtocol, type ProtocolRange } from './protocol-range.ts';
import { ASK, CHALLENGE, SignedRequest } from './token-proof.ts';
import type { PeerIdentity, RefusedPeer } from './transport.ts';

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
  | RefusedPeer
  /** Nobody answered, or not now. */
  | { readonly type: 'failed'; readonly reason: string };

export interface DialOptions {
  /** `host:port` */
  readonly addr: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What the headers offer. */
  readonly protocols: ProtocolRange;
  /** null: neither end proves anything. */
  readonly token: string | null;
  /** For all of it. */
  readonly timeoutMs: number;
}

/**
 * Asks for an Upgrade; with a token, asks for a challenge first. Calls `settle` once, later, unless the returned
 * function is called before; that one gives up and closes what is open.
 */
export function dial(options: DialOptions, settle: (outcome: DialOutcome) => void): () => void {
  const { timeoutMs } = options;
  let request: ClientRequest | null = null;
  const timer = setTimeout(() => finish(failed(`no answer within ${timeoutMs} ms`)), timeoutMs);
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
  const target = parseDialAddress(options.addr);
  if (!target) {
    queueMicrotask(() => finish(failed(`not an address (host:port): ${printable(options.addr)}`)));
    return cancel;
  }
  const ask = (headers: Readonly<Record<string, string>>): ClientRequest => {
    const asked = httpRequest({ ...target, path: '/', headers, agent: false });
    asked.on('error', (error) => {
      if (asked === request) finish(failed(printable(error.message)));
    });
    asked.end();
    request = asked;
    return asked;
  };
  const askForUpgrade = (headers: Readonly<Record<string, string>>, isProvenBy: ProofCheck): void => {
    const asked = ask(headers);
    asked.on('upgrade', (response, socket, head) => {
      finish(readUpgrade({ response, socket, head }, options.protocols, isProvenBy));
    });
    asked.on('response', (response) => readAnswer(response, isProvenBy, finish));
  };
  const { headers, token } = options;
  if (token === null) {
    askForUpgrade(headers, () => true);
    return cancel;
  }
  const asked = ask({ Connection: 'Upgrade', Upgrade: headers.Upgrade ?? '', [CHALLENGE]: ASK });
  readChallenge(asked, finish, (challenge) => {
    const signed = new SignedRequest(token, challenge, headers);
    // Over a connection of its own: an answered request to upgrade leaves none to go on with.
    askForUpgrade(signed.headers, (answer) => signed.isAnsweredBy(answer));
    asked.destroy();
  });
  return cancel;
}

/** Whether who has sent these headers has proved the cluster's token. */
type ProofCheck = (headers: IncomingHttpHeaders) => boolean;

function readChallenge(
  asked: ClientRequest,
  finish: (outcome: DialOutcome) => void,
  proceed: (challenge: string) => void,
): void {
  asked.on('upgrade', (_, socket) => {
    socket.destroy();
    finish(UNPROVEN);
  });
  asked.on('response', (response) => {
    const challenge = response.headers[CHALLENGE];
    if (typeof challenge === 'string') proceed(challenge);
    else readAnswer(response, () => false, finish);
  });
}

const MAX_ANSWER_BYTES = 1024;

interface Upgraded {
  readonly response: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

function readUpgrade(
  { response, socket, head }: Upgraded,
  offered: ProtocolRange,
  isProvenBy: ProofCheck,
): DialOutcome {
  const peer = readIdentity(response.headers);
  const protocol = chooseProtocol(response.headers.upgrade, offered);
  const isProven = isProvenBy(response.headers);
  if (peer && protocol !== null && isProven) return { type: 'opened', peer, protocol, socket, head };
  socket.destroy();
  if (!isProven) return UNPROVEN;
  return failed(
    peer
      ? 'the answer to the Upgrade chooses no protocol that was offered'
      : 'the answer to the Upgrade does not name a node',
  );
}

/** An answer other than 101: an identity, or a refusal with its reason as text. */
function readAnswer(
  response: IncomingMessage,
  isProvenBy: ProofCheck,
  finish: (outcome: DialOutcome) => void,
): void {
  const status = response.statusCode ?? 0;
  const peer = status === 200 ? readIdentity(response.headers) : null;
  if (peer) {
    finish(isProvenBy(response.headers) ? { type: 'identified', peer } : UNPROVEN);
    return;
  }
  const without = isProvenBy(response.headers) ? readWithout(response.headers) : null;
  let text = '';
  const conclude = (): void => {
    const reason = `HTTP ${status}: ${printable(text) || 'no reason given'}`;
    if (status < 400 || status >= 500) finish(failed(reason));
    else finish({ type: 'refused', reason, without });
  };
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    text += chunk;
    if (text.length > MAX_ANSWER_BYTES) conclude();
  });
  response.on('end', conclude);
  response.on('error', conclude);
}

const UNPROVEN: DialOutcome = {
  type: 'refused',
  reason: `who answers does not prove the cluster token: ${TOKEN_ADVICE}`,
  without: null,
};

function failed(reason: string): DialOutcome {
  return { type: 'failed', reason };
}
