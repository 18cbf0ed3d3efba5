import { type SnapshotManifest, StoreError } from '@metad/kv-store';
import { createPortGuard, parseJsonBody } from '@metad/metad-api';
import { nodeId } from '@metad/raft-core';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { z } from 'zod';
import { isWildcard, parseAddress } from '../config/address.ts';
import type { Call, CallOutcome } from '../consensus/call.ts';
import { addBackupRoute, type BackupDeps } from './backup-route.ts';
import { addJoinRoute } from './join-route.ts';
import { checkJson, readJsonRequest } from './json-request.ts';
import { addKvRoutes, type KvDeps } from './kv-routes.ts';
import { type BigJson, callAnswer, snapshotAnswer, stringifyBigJson } from './openraft-json.ts';

export interface ClusterAppDeps extends KvDeps, BackupDeps {
  readonly node: KvDeps['node'];
  readonly clusterToken: string | null;
  readonly metrics: () => BigJson;
  /** Rejects with a StoreError when none can be taken. */
  readonly takeSnapshot: () => Promise<SnapshotManifest>;
  readonly addressOf: (node: number) => string | null;
  /** A bug or a fault that a request ran into; the client is not told more than that. */
  readonly onError: (error: unknown) => void;
}

const NODE_ID = z
  .int('a node id is a positive integer')
  .min(1, 'a node id is a positive integer')
  .transform(nodeId);
const ADDRESS = z.string().refine(isNodeAddress, 'an address is HOST:PORT, one that other nodes can reach');

const BODIES = {
  addLearner: z.union(
    [
      z.tuple([NODE_ID, ADDRESS]),
      z
        .object({ node_id: NODE_ID, addr: ADDRESS })
        .transform(({ node_id, addr }) => [node_id, addr] as const),
    ],
    'expected [ID, "HOST:PORT"]',
  ),
  removeLearner: NODE_ID,
  changeMembership: z.array(NODE_ID, 'expected a list of node ids: [1, 2, 3]'),
  transferLeader: z.union([NODE_ID, z.null()], 'expected a node id or null'),
};

/** The KV and cluster API, on the cluster port. */
export function createClusterApp(deps: ClusterAppDeps): Hono {
  const app = new Hono();
  app.get('/health', (c) => c.json({ status: 'up' }));
  addJoinRoute(app, {
    clusterToken: deps.clusterToken,
    addLearner: (c, wish) => joinAnswer(c, deps, wish),
    refuse: (c, status, message) => answer(c, status, failure(status, message)),
  });
  app.use(guard(deps.clusterToken));
  addKvRoutes(app, deps);
  addBackupRoute(app, deps);
  app.get('/metrics', (c) => answer(c, 200, deps.metrics()));
  app.post('/add-learner', (c) =>
    callRoute(c, deps, BODIES.addLearner, ([node, addr]) => ({ type: 'addLearner', node, addr })),
  );
  app.post('/remove-learner', (c) =>
    callRoute(c, deps, BODIES.removeLearner, (node) => ({ type: 'removeLearner', node })),
  );
  app.post('/change-membership', (c) =>
    callRoute(c, deps, BODIES.changeMembership, (voters) => ({ type: 'changeMembership', voters })),
  );
  app.post('/transfer-leader', (c) =>
    callRoute(c, deps, BODIES.transferLeader, (to) => ({ type: 'transferLeader', to })),
  );
  app.post('/snapshot', (c) => snapshotRoute(c, deps));
  app.all('*', (c) => refuseRoute(c, app));
  app.onError((error, c) => {
    deps.onError(error);
    return answer(c, 500, failure(500, 'internal error'));
  });
  return app;
}

function isNodeAddress(text: string): boolean {
  const address = parseAddress(text);
  return address !== null && address.port > 0 && !isWildcard(address);
}

async function callRoute<T>(
  c: Context,
  deps: ClusterAppDeps,
  body: z.ZodType<T>,
  toCall: (body: T) => Call,
): Promise<Response> {
  const { maxBodyBytes } = deps.limits;
  const request = await readJsonRequest(c, body, { maxBodyBytes, emptyMeansNull: true });
  if (request.type === 'refused') return answer(c, request.status, badRequest(request.reason));
  return executed(c, deps, toCall(request.value));
}

async function executed(c: Context, deps: ClusterAppDeps, call: Call): Promise<Response> {
  const outcome = await deps.router.execute(call);
  return answer(c, statusOf(outcome), callAnswer(outcome, deps.addressOf));
}

async function joinAnswer(c: Context, deps: ClusterAppDeps, wish: string): Promise<Response> {
  const json = parseJsonBody(wish);
  if (json.type === 'problem') return answer(c, 400, badRequest(json.problem.message));
  const request = checkJson(json.value, BODIES.addLearner);
  if (request.type === 'refused') return answer(c, request.status, badRequest(request.reason));
  const [node, addr] = request.value;
  return executed(c, deps, { type: 'addLearner', node, addr });
}

/** Concerns the node that is asked, whoever leads. */
async function snapshotRoute(c: Context, { node, takeSnapshot }: ClusterAppDeps): Promise<Response> {
  const { quarantine } = node.state;
  if (quarantine !== null) return answer(c, 503, failure(503, `this node is ${quarantine}`));
  try {
    return answer(c, 200, snapshotAnswer(await takeSnapshot()));
  } catch (error) {
    // The node goes on: it is the snapshot that has no room or no readable source.
    if (!(error instanceof StoreError)) throw error;
    return answer(c, 507, { Err: { APIError: { Storage: { message: error.message } } } });
  }
}

function statusOf(outcome: CallOutcome): 200 | 400 | 409 | 413 | 503 | 504 | 507 {
  if (outcome.type === 'done') return 200;
  if (outcome.type === 'unknown') return 504;
  switch (outcome.error.type) {
    case 'emptyMembership':
    case 'learnerNotFound':
      return 400;
    case 'conflict':
    case 'inProgress':
      return 409;
    case 'tooLarge':
      return 413;
    case 'stateFull':
      return 507;
    default:
      return 503;
  }
}

function answer(
  c: Context,
  status: 200 | 400 | 401 | 403 | 404 | 405 | 409 | 413 | 500 | 503 | 504 | 507,
  body: BigJson,
): Response {
  if (status === 503) c.header('Retry-After', '1');
  return c.body(stringifyBigJson(body), status, { 'Content-Type': 'application/json' });
}

function badRequest(message: string): BigJson {
  return { Err: { APIError: { BadRequest: { message } } } };
}

function failure(code: number, message: string): BigJson {
  return { err: { code, message } };
}

/** Tells a path that is not served from a method that is not. */
function refuseRoute(c: Context, app: Hono): Response {
  const methods = app.routes
    .filter(({ path, method }) => path === c.req.path && method !== 'ALL')
    .map(({ method }) => method);
  if (methods.length === 0)
    return answer(c, 404, failure(404, `there is no ${c.req.path} on the cluster port`));
  c.header('Allow', methods.join(', '));
  return answer(c, 405, failure(405, `${c.req.path} takes ${methods.join(' or ')}, not ${c.req.method}`));
}

function guard(token: string | null): MiddlewareHandler {
  const findProblem = createPortGuard(token, 'cluster');
  return async function clusterGuard(c, next) {
    const problem = findProblem({ header: (name) => c.req.header(name) });
    if (problem === null) return next();
    for (const [name, value] of Object.entries(problem.headers ?? {})) c.header(name, value);
    return answer(c, problem.status === 401 ? 401 : 403, failure(problem.status, problem.message));
  };
}
