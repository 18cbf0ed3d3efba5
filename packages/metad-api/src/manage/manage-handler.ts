import { ROOT } from '@metad/kv-store';
import { type Answer, failureAnswer, problemAnswer } from '../http/answer.ts';
import type { ApiRequest } from '../http/api-request.ts';
import { negotiate } from '../http/negotiate.ts';
import type { Observer } from '../http/observer.ts';
import { createPortGuard } from '../http/port-guard.ts';
import { isPretty } from '../http/query-options.ts';
import { findPathProblem, splitTarget } from '../http/target.ts';
import type { ReplyDoor } from '../read/metadata-handler.ts';
import type { ManageParts } from './manage-request.ts';
import { RouteTable } from './route-table.ts';
import { type MetricsPage, type Route, routesOf } from './routes.ts';

/** The manage API, whatever carries its requests. Never throws, and streams nothing. */
export type ManageHandler = (request: ApiRequest, door: Pick<ReplyDoor, 'answer'>) => void;

export function createManageHandler(options: {
  readonly parts: ManageParts;
  readonly observer: Observer;
  readonly metrics: MetricsPage | undefined;
}): ManageHandler {
  const { parts, observer } = options;
  const routes = new RouteTable(routesOf(parts, options.metrics), parts.feed);
  const answerTo = answering(parts, routes);
  return (http, door) => {
    const exchange = observer.begin('manage', http.method);
    const target = splitTarget(http.target);
    // What can't be decoded goes to its resource all the same, which says so.
    const path = target.type === 'ok' ? target.value.path : http.target.replace(/[?].*$/s, '');
    const route = routes.find(path);
    const answer = (one: Answer): void => {
      exchange.end(route.path, one.status);
      door.answer(one, exchange.requestId);
    };
    const fail = (error: unknown): void => {
      exchange.fail(error);
      answer(failureAnswer({ format: negotiate(http.header('accept')), pretty: false }));
    };
    try {
      const one = answerTo(http, target, route);
      if (one instanceof Promise) one.then(answer).catch(fail);
      else answer(one);
    } catch (error) {
      fail(error);
    }
  };
}

type Answering = (
  http: ApiRequest,
  target: ReturnType<typeof splitTarget>,
  route: Route,
) => Promise<Answer> | Answer;

/** What is asked of a request before its resource sees it. */
function answering({ feed, settings }: ManageParts, routes: RouteTable): Answering {
  const guard = createPortGuard(settings.manageToken, 'manage');
  return (http, target, route) => {
    const query = target.type === 'ok' ? target.value.query : null;
    const form = { format: negotiate(http.header('accept')), pretty: isPretty(query) };
    const version = route.isState ? feed.version : null;
    const stranger = route.isOpen ? null : guard(http);
    if (stranger !== null) return problemAnswer(stranger, form, version);
    if (target.type === 'problem') return problemAnswer(target.problem, form, version);
    const path = target.value.path.slice(route.path.length) || ROOT;
    const excess = route.isTree === true ? findPathProblem(path, settings) : null;
    if (excess !== null) return problemAnswer(excess, form, version);
    return routes.handlerOf(route, http.method)({ http, path, query, form });
  };
}
