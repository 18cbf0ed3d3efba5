import { createPortGuard } from '@metad/metad-api';
import type { Context, Hono } from 'hono';
import { TOKEN_ADVICE } from '../peers/handshake.ts';
import { ASK, CHALLENGE, type SignAnswer, TokenGate } from '../peers/token-proof.ts';

/** What a node that wants to join says: `[ID, "HOST:PORT"]`. It is signed, and so is what came of it. */
export const JOIN = 'x-metad-join';
/** Of the answer: `yes` when the node is a learner now. */
export const JOINED = 'x-metad-joined';

/** What the app does for the route. */
export interface JoinDeps {
  readonly clusterToken: string | null;
  /** Adds a learner; what is asked for has not been looked at. */
  readonly addLearner: (c: Context, wish: string) => Promise<Response>;
  readonly refuse: (c: Context, status: 401 | 403, message: string) => Response;
}

/**
 * `POST /join`: adds the node that asks for it, as `POST /add-learner` does. It proves the cluster's token without
 * showing it, as it cannot know who listens at the address that it was given. Nothing counts but what is signed.
 */
export function addJoinRoute(app: Hono, { clusterToken, addLearner, refuse }: JoinDeps): void {
  const gate = clusterToken === null ? null : new TokenGate(clusterToken);
  const findStranger = createPortGuard(null, 'cluster');

  app.post('/join', async (c) => {
    const stranger = findStranger({ header: (name) => c.req.header(name) });
    if (stranger !== null) return refuse(c, 403, stranger.message);
    const headers = c.req.header();
    if (headers[CHALLENGE] === ASK) {
      if (gate === null) return refuse(c, 401, `this node has no cluster token: ${TOKEN_ADVICE}`);
      c.header(CHALLENGE, gate.challenge());
      return refuse(c, 401, 'sign this challenge');
    }
    const sign: SignAnswer | null = gate === null ? (answer) => answer : gate.open(headers);
    if (sign === null) return refuse(c, 401, `the cluster token is missing or wrong: ${TOKEN_ADVICE}`);
    const response = await addLearner(c, headers[JOIN] ?? '');
    const signed = sign({ [JOINED]: response.status === 200 ? 'yes' : 'no' });
    for (const [name, value] of Object.entries(signed)) response.headers.set(name, value);
    return response;
  });
}
