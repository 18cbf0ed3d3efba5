import { badRequest, type Problem } from '../http/problem.ts';
import type { Method, Route } from './routes.ts';

/**
 * Finds parameters of this API that a request's own route can't honour: whoever sends one counts on it, and may delete
 * more than was meant. What no route knows is passed over, as are those of waits.
 */
export class StrayOptions {
  readonly #known: ReadonlySet<string>;

  constructor(routes: readonly Route[]) {
    this.#known = new Set(routes.flatMap(({ options = {} }) => Object.values(options).flat()));
  }

  /** What is wrong with the query of a request; null: nothing. */
  find(route: Route, method: Method, query: URLSearchParams | null): Problem | null {
    if (query === null || route.isState !== true) return null;
    const taken = route.options?.[method] ?? [];
    for (const name of query.keys()) {
      if (!this.#known.has(name) || taken.includes(name)) continue;
      return badRequest(`${method} ${route.path} has no parameter "${name}"`);
    }
    return null;
  }
}
