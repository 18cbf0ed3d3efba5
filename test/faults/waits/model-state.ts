import type { Operation, Rule } from './operation.ts';

/** Own values by path, in no order. */
export type Values = ReadonlyMap<string, string>;

/** All that a cluster holds, in the plainest form. */
export interface ModelState {
  readonly data: Values;
  /** Targets by `/ADDRESS/KEY`. */
  readonly mapping: Values;
  readonly rules: ReadonlyMap<string, readonly Rule[]>;
}

export const EMPTY_STATE: ModelState = { data: new Map(), mapping: new Map(), rules: new Map() };

/** The state after a write; the same object when it changes nothing: then it makes no version. */
export function applied(state: ModelState, operation: Operation): ModelState {
  switch (operation.type) {
    case 'merge':
    case 'replace':
    case 'delete': {
      const { tree } = operation;
      const values = changedValues(state[tree], operation);
      return values === state[tree] ? state : { ...state, [tree]: values };
    }
    case 'putKey': {
      const { path, value } = operation;
      const data = changedValues(state.data, { type: 'merge', tree: 'data', path, leaves: { '': value } });
      return data === state.data ? state : { ...state, data };
    }
    case 'deleteKey': {
      if (!state.data.has(operation.path)) return state;
      return { ...state, data: without(state.data, (path) => path === operation.path) };
    }
    case 'setRules':
      return withRules(state, Object.entries(operation.rules));
    case 'deleteRules':
      return withRules(
        state,
        operation.hosts.map((host) => [host, null]),
      );
  }
}

/** Addresses of clients whose own mapping or rules a write names; null for one of the data, which concerns all. */
export function namedHosts(operation: Operation): readonly string[] | null {
  switch (operation.type) {
    case 'setRules':
      return Object.keys(operation.rules);
    case 'deleteRules':
      return operation.hosts;
    case 'putKey':
    case 'deleteKey':
      return null;
    case 'merge':
    case 'replace':
    case 'delete':
      return operation.tree === 'data' ? null : [operation.path.split('/')[1] ?? ''];
  }
}

export function isBelow(path: string, place: string): boolean {
  return place === '/' ? path !== '/' : path.startsWith(`${place}/`);
}

type TreeOperation = Extract<Operation, { tree: string }>;

function changedValues(before: Values, operation: TreeOperation): Values {
  const { path } = operation;
  const kept =
    operation.type === 'merge' ? before : without(before, (one) => one === path || isBelow(one, path));
  const after = new Map(kept);
  if (operation.type !== 'delete') {
    for (const [name, value] of Object.entries(operation.leaves)) {
      after.set(name === '' ? path : `${path}/${name}`, value);
    }
  }
  const isSame = after.size === before.size && [...after].every(([one, value]) => before.get(one) === value);
  return isSame ? before : after;
}

function without(values: Values, isGone: (path: string) => boolean): Values {
  return new Map([...values].filter(([path]) => !isGone(path)));
}

function withRules(
  state: ModelState,
  changes: readonly (readonly [host: string, rules: readonly Rule[] | null])[],
): ModelState {
  const rules = new Map(state.rules);
  for (const [host, list] of changes) {
    if (list === null) rules.delete(host);
    else rules.set(host, list);
  }
  const isSame =
    rules.size === state.rules.size &&
    [...rules].every(([host, list]) => JSON.stringify(list) === JSON.stringify(state.rules.get(host)));
  return isSame ? state : { ...state, rules };
}
