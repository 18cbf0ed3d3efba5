import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

// Both ends of a peer connection, and of a request to join, prove that they know the cluster's token, and neither shows
// it: each signs a number that the other has just made up, together with all that it says of itself. Who does not know the
// token learns nothing about the node, and what it has overheard is of no use again. Frames are not signed: a network that
// alters connections needs more than this.

/** What the acceptor has made up; a dialler asks for it with the value {@link ASK}. */
export const CHALLENGE = 'x-metad-challenge';
export const ASK = 'ask';
/** What the dialler has made up. */
const NONCE = 'x-metad-nonce';
const PROOF = 'x-metad-proof';
const PARTS: ReadonlySet<string> = new Set([CHALLENGE, NONCE, PROOF]);

/** Between the answer to the question and the signed request. */
const CHALLENGE_LIFETIME_MS = 10_000;

/** What is said in headers of these names is signed; both ends read no others. */
export type SignedHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** A dialler's signed request, and its judgement of the answer. */
export class SignedRequest {
  readonly headers: Record<string, string>;
  readonly #token: string;
  readonly #proof: string;

  constructor(token: string, challenge: string, headers: Readonly<Record<string, string>>) {
    const nonce = randomBytes(24).toString('base64url');
    this.#token = token;
    this.#proof = requestProof(token, { challenge, nonce, headers });
    this.headers = { ...headers, [CHALLENGE]: challenge, [NONCE]: nonce, [PROOF]: this.#proof };
  }

  isAnsweredBy(headers: SignedHeaders): boolean {
    return isEqual(headers[PROOF], answerProof(this.#token, this.#proof, headers));
  }
}

/** Signs the answer to one request whose signature was right. */
export type SignAnswer = (headers: Record<string, string>) => Record<string, string>;

/** The accepting end: makes up challenges and judges signatures. Keeps nothing for those who prove nothing. */
export class TokenGate {
  readonly #token: string;
  readonly #now: () => number;
  /** Signs the challenges, so that they need not be remembered. */
  readonly #key = randomBytes(32);
  /** Each is good for one request. Those that have expired are forgotten. */
  readonly #used = new Map<string, number>();

  constructor(token: string, now: () => number = () => performance.now()) {
    this.#token = token;
    this.#now = now;
  }

  challenge(): string {
    const text = `${randomBytes(24).toString('base64url')}.${Math.floor(this.#now())}`;
    return `${text}.${this.#seal(text)}`;
  }

  /** Null unless the headers answer a challenge of this gate, signed with its token, for the first time. */
  open(headers: SignedHeaders): SignAnswer | null {
    const { [CHALLENGE]: challenge, [NONCE]: nonce, [PROOF]: proof } = headers;
    if (typeof challenge !== 'string' || typeof nonce !== 'string') return null;
    const expected = requestProof(this.#token, { challenge, nonce, headers });
    if (!isEqual(proof, expected) || !this.#use(challenge)) return null;
    return (answer) => ({ ...answer, [PROOF]: answerProof(this.#token, expected, answer) });
  }

  #use(challenge: string): boolean {
    const [random = '', issued = '', seal] = challenge.split('.');
    if (!isEqual(seal, this.#seal(`${random}.${issued}`))) return false;
    const expired = this.#now() - CHALLENGE_LIFETIME_MS;
    for (const [used, at] of this.#used) if (at < expired) this.#used.delete(used);
    if (Number(issued) < expired || this.#used.has(challenge)) return false;
    this.#used.set(challenge, Number(issued));
    return true;
  }

  #seal(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('base64url');
  }
}

function requestProof(
  token: string,
  request: { readonly challenge: string; readonly nonce: string; readonly headers: SignedHeaders },
): string {
  return sign(token, ['dialler', request.challenge, request.nonce, ...said(request.headers)]);
}

/** Another role, so that nobody can answer with what was asked; bound to the request, its random numbers included. */
function answerProof(token: string, request: string, headers: SignedHeaders): string {
  return sign(token, ['acceptor', request, ...said(headers)]);
}

function sign(token: string, words: readonly (string | null)[]): string {
  const text = JSON.stringify(['metad-peer-token/1', ...words]);
  return createHmac('sha256', token).update(text).digest('base64url');
}

/** All that either end says of itself, of the other and of the protocol; not what HTTP itself adds. */
function said(headers: SignedHeaders): string[] {
  return Object.entries(headers)
    .map(([name, value]) => [name.toLowerCase(), String(value)] as const)
    .filter(([name]) => name === 'upgrade' || (name.startsWith('x-metad-') && !PARTS.has(name)))
    .map(([name, value]) => `${name}: ${value}`)
    .sort();
}

/** In a time that does not depend on where they differ. */
function isEqual(found: string | string[] | undefined, expected: string): boolean {
  if (typeof found !== 'string' || found.length !== expected.length) return false;
  const [one, other] = [Buffer.from(found), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}
