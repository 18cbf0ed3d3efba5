import { isAtOrBelow, ROOT } from '@metad/kv-store';
import { type Context, Hono } from 'hono';
import { type Answer, failureAnswer, problemAnswer } from '../http/answer.ts';
import { nodeRequest, requestFrom, responseFrom } from '../http/hono-door.ts';
import { negotiate } from '../http/negotiate.ts';
import type { Observer } from '../http/observer.ts';
import type { PathLimits } from '../http/path-limits.ts';
import { createPortGuard, type PortGuard } from '../http/port-guard.ts';
import { methodNotAllowed, NOT_FOUND } from '../http/problem.ts';
import { isPretty } from '../http/query-options.ts';
import { bodyOf } from '../http/read-body.ts';
import { parseTarget } from '../http/target.ts';
import type { ManageParts } from './manage-request.ts';
import { type Handler, type MetricsPage, type Route, routesOf } from './routes.ts';

interface Frame {
  readonly parts: ManageParts;
  readonly guard: PortGuard;
  readonly observer: Observer;
}

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
