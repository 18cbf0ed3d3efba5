import { isAtOrBelow, type Version } from '@metad/kv-store';
import { problemAnswer } from '../http/answer.ts';
import { methodNotAllowed, NOT_FOUND } from '../http/problem.ts';
import type { Handler, Route } from './routes.ts';

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

  /** `present` tells the version that the refusal of a method carries. */
  constructor(routes: readonly Route[], present: { readonly version: Version }) {
    this.#byPath = new Map(routes.map((route) => [route.path, route]));
    this.#trees = routes.filter(({ isTree }) => isTree);
    this.#served = new Map(routes.map((route) => [route, servedBy(route, present)]));
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

function servedBy({ handlers }: Route, present: { readonly version: Version }): Served {
  const problem = methodNotAllowed(methodsOf(handlers).join(', '));
  return {
    byMethod: new Map(Object.entries(handlers)),
    refuse: ({ form }) => problemAnswer(problem, form, present.version),
  };
}

/** HEAD is there where GET is. */
function methodsOf(handlers: Route['handlers']): string[] {
  const methods = Object.keys(handlers);
  return handlers.GET === undefined ? methods : ['HEAD', ...methods];
}
