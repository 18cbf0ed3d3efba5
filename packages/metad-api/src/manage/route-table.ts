import { isAtOrBelow, type Version } from '@metad/kv-store';
import { problemAnswer } from '../http/answer.ts';
import { methodNotAllowed, NOT_FOUND } from '../http/problem.ts';
import type { Handler, Method, Route } from './routes.ts';
import { StrayOptions } from './stray-options.ts';

const METHODS: readonly Method[] = ['GET', 'POST', 'PUT', 'DELETE'];
const UNKNOWN: Route = { path: 'unknown', handlers: {} };
const notFound: Handler = ({ form }) => problemAnswer(NOT_FOUND, form, null);

interface Served {
  readonly byMethod: ReadonlyMap<string, Handler>;
  /** For every other method. */
  readonly refuse: Handler;
}

/** Finds who answers: by the path of the resource first, then by the method. The path below a tree may hold anything. */
export class RouteTable {
  readonly #byPath: ReadonlyMap<string, Route>;
  readonly #trees: readonly Route[];
  readonly #served: ReadonlyMap<Route, Served>;

  /** `present` tells the version that refusals carry. */
  constructor(routes: readonly Route[], present: { readonly version: Version }) {
    this.#byPath = new Map(routes.map((route) => [route.path, route]));
    this.#trees = routes.filter(({ isTree }) => isTree);
    const strays = new StrayOptions(routes);
    this.#served = new Map(routes.map((route) => [route, servedBy(route, strays, present)]));
  }

  /** The route of a decoded, cleaned path; one that answers 404 where there is none. */
  find(path: string): Route {
    return this.#trees.find((tree) => isAtOrBelow(path, tree.path)) ?? this.#byPath.get(path) ?? UNKNOWN;
  }

  handlerOf(route: Route, method: string): Handler {
    const served = this.#served.get(route);
    if (served === undefined) return notFound;
    // The door leaves out the body.
    return served.byMethod.get(method === 'HEAD' ? 'GET' : method) ?? served.refuse;
  }
}

function servedBy(route: Route, strays: StrayOptions, present: { readonly version: Version }): Served {
  const { handlers } = route;
  const checked = (method: Method, handler: Handler): Handler => {
    return (request) => {
      const stray = strays.find(route, method, request.query);
      return stray === null ? handler(request) : problemAnswer(stray, request.form, present.version);
    };
  };
  const problem = methodNotAllowed(methodsOf(handlers).join(', '));
  return {
    byMethod: new Map(
      METHODS.flatMap((method) => {
        const handler = handlers[method];
        return handler === undefined ? [] : [[method, checked(method, handler)] as const];
      }),
    ),
    refuse: ({ form }) => problemAnswer(problem, form, present.version),
  };
}

/** HEAD is there where GET is. */
function methodsOf(handlers: Route['handlers']): string[] {
  const methods = Object.keys(handlers);
  return handlers.GET === undefined ? methods : ['HEAD', ...methods];
}
