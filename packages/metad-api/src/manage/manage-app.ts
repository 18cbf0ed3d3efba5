import { isAtOrBelow, ROOT } from '@metad/kv-store';
import { type Context, Hono } from 'hono';
import { type Answer, answerOf, failureAnswer, problemAnswer } from '../http/answer.ts';
import { nodeRequest, requestFrom, responseFrom } from '../http/hono-door.ts';
import { negotiate } from '../http/negotiate.ts';
import type { Observer } from '../http/observer.ts';
import type { PathLimits } from '../http/path-limits.ts';
import { createPortGuard, type PortGuard } from '../http/port-guard.ts';
import { methodNotAllowed, NOT_FOUND } from '../http/problem.ts';
import { isPretty } from '../http/query-options.ts';
import { bodyOf } from '../http/read-body.ts';
import { parseTarget } from '../http/target.ts';
import { record } from '../render/document.ts';
import { type Form, renderDocument } from '../render/render.ts';
import { dataTree } from './data-tree.ts';
import type { ManageParts, ManageRequest } from './manage-request.ts';
import { mappingTree } from './mapping-tree.ts';
import { RuleResource } from './rule-resource.ts';
import { TreeResource } from './tree-resource.ts';

/** Prometheus metrics, or whatever the daemon has to show. */
export type MetricsPage = () => Promise<{ readonly contentType: string; readonly body: string }>;

type Handler = (request: ManageRequest) => Promise<Answer> | Answer;
type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

interface Route {
  /** Also what it is called in measurements. */
  readonly path: string;
  /** Whether there are paths below it. */
  readonly isTree?: true;
  /** Open to everyone; all else is for those whom the guard lets through. */
  readonly isOpen?: true;
  /** Whether it shows or changes the state: then every answer carries a version. */
  readonly isState?: true;
  /** HEAD is GET without its body. */
  readonly handlers: Readonly<Partial<Record<Method, Handler>>>;
}

interface Frame {
  readonly parts: ManageParts;
  readonly guard: PortGuard;
  readonly observer: Observer;
}

const JSON_FORM: Form = { format: 'json', pretty: false };
const UNKNOWN: Route = { path: 'unknown', handlers: {} };

/** The manage API as a Hono app. It routes by the decoded, cleaned path. */
export function createManageApp(
  options: Omit<Frame, 'guard'> & { readonly metrics: MetricsPage | undefined },
): Hono {
  const { parts, observer, metrics } = options;
  const frame = { parts, observer, guard: createPortGuard(parts.settings.manageToken, 'manage') };
  const routes = routesOf(parts, metrics);
  const app = new Hono({
    getPath: (request, context) =>
      routingPath(nodeRequest(context?.env, request).target, routes, parts.settings),
  });
  for (const route of routes) {
    const { path } = route;
    for (const [method, handler] of Object.entries(route.handlers)) {
      app.on(method, path, (c) => respond(c, route, handler, frame));
    }
    const allowed = ['HEAD', ...Object.keys(route.handlers)].join(', ');
    app.all(path, (c) =>
      respond(
        c,
        route,
        ({ form }) => problemAnswer(methodNotAllowed(allowed), form, parts.feed.version),
        frame,
      ),
    );
  }
  app.notFound((c) => respond(c, UNKNOWN, ({ form }) => problemAnswer(NOT_FOUND, form, null), frame));
  return app;
}

/** What Hono matches on: the path of the resource. The path below it may hold anything, even a line break. */
function routingPath(target: string, routes: readonly Route[], limits: PathLimits): string {
  const parsed = parseTarget(target, limits);
  // What can't be decoded goes to its resource all the same, which says so.
  const path = parsed.type === 'ok' ? parsed.value.path : target.replace(/[?].*$/s, '');
  return routes.find((route) => route.isTree && isAtOrBelow(path, route.path))?.path ?? path;
}

function routesOf(parts: ManageParts, metrics: MetricsPage | undefined): Route[] {
  const trees = (['data', 'mapping'] as const).map((tree): Route => {
    const kind = tree === 'data' ? dataTree(parts.settings) : mappingTree(parts.settings);
    const resource = new TreeResource(kind, parts);
    return {
      path: `/v1/${tree}`,
      isTree: true,
      isState: true,
      handlers: {
        GET: (request) => resource.get(request),
        POST: (request) => resource.put(request, 'replace'),
        PUT: (request) => resource.put(request, 'merge'),
        DELETE: (request) => resource.delete(request),
      },
    };
  });
  const rules = new RuleResource(parts);
  const ruleRoute: Route = {
    path: '/v1/rule',
    isState: true,
    handlers: {
      GET: (request) => rules.get(request),
      POST: (request) => rules.put(request),
      PUT: (request) => rules.put(request),
      DELETE: (request) => rules.delete(request),
    },
  };
  return [...trees, ruleRoute, healthRoute(), readyRoute(parts), ...(metrics ? [metricsRoute(metrics)] : [])];
}

function healthRoute(): Route {
  const body = renderDocument(record({ status: 'up' }), JSON_FORM, { sorted: false });
  const answer = answerOf({ form: JSON_FORM, body, version: null });
  return { path: '/health', isOpen: true, handlers: { GET: () => answer } };
}

function readyRoute({ replica }: ManageParts): Route {
  const ready = () => {
    const { hasLeader, caughtUp, quarantine } = replica.status();
    const reasons = [
      ...(quarantine ? [`this node is ${quarantine}`] : []),
      ...(hasLeader ? [] : ['no leader is known']),
      ...(caughtUp ? [] : ['this node has not caught up']),
    ];
    const isReady = reasons.length === 0;
    const document = isReady ? record({ status: 'ready' }) : record({ status: 'notReady', reasons });
    const body = renderDocument(document, JSON_FORM, { sorted: false });
    return answerOf({ status: isReady ? 200 : 503, form: JSON_FORM, body, version: null });
  };
  return { path: '/ready', isOpen: true, handlers: { GET: ready } };
}

function metricsRoute(metrics: MetricsPage): Route {
  const show = async (): Promise<Answer> => {
    const { contentType, body } = await metrics();
    return { status: 200, contentType, body, length: Buffer.byteLength(body), version: null };
  };
  return { path: '/metrics', handlers: { GET: show } };
}

async function respond(c: Context, route: Route, handler: Handler, frame: Frame): Promise<Response> {
  const http = requestFrom(c);
  const exchange = frame.observer.begin('manage', http.method);
  const answer = await answerTo(c, route, handler, frame).catch((error: unknown) => {
    exchange.fail(error);
    return failureAnswer({ format: negotiate(http.header('accept')), pretty: false });
  });
  exchange.end(route.path, answer.status);
  return responseFrom(c, answer, exchange.requestId);
}

async function answerTo(c: Context, route: Route, handler: Handler, frame: Frame): Promise<Answer> {
  const { guard, parts } = frame;
  const http = requestFrom(c);
  const target = parseTarget(http.target, parts.settings);
  const query = target.type === 'ok' ? target.value.query : null;
  const form = { format: negotiate(http.header('accept')), pretty: isPretty(query) };
  const version = route.isState ? parts.feed.version : null;
  const stranger = route.isOpen ? null : guard(http);
  if (stranger !== null) return problemAnswer(stranger, form, version);
  if (target.type === 'problem') return problemAnswer(target.problem, form, version);
  const path = target.value.path.slice(route.path.length) || ROOT;
  return handler({ http, path, query, form, body: bodyOf(c) });
}
