import type { AccessRule, ContentCommand, Leaf, TreeName } from '../src/command.ts';
import { isAtOrBelow, segmentsOf } from '../src/path.ts';

type Values = Map<string, string>;

interface NaiveChange {
  readonly type: string;
  readonly names: Set<string>;
  /** Of changed data those that did not show before. */
  readonly appeared: Set<string> | null;
}

/** The state machine as one would first write it down: whole maps, whole scans, compared before and after. */
export class NaiveState {
  version = 0;
  readonly trees = { data: new Map() as Values, mapping: new Map() as Values };
  readonly rules = new Map<string, readonly AccessRule[]>();

  /** Returns the change without its version; null when nothing changed. */
  apply(command: ContentCommand): NaiveChange | null {
    const before = structuredClone({ trees: this.trees, rules: this.rules });
    this.#execute(command);
    if (JSON.stringify(snapshot(before)) === JSON.stringify(snapshot(this))) return null;
    this.version += 1;
    if (!('tree' in command))
      return { type: 'rules', names: differing(texts(before.rules), texts(this.rules)), appeared: null };
    const shownBefore = shownOf(before.trees[command.tree]);
    const paths = differing(shownBefore, shownOf(this.trees[command.tree]));
    if (command.tree === 'data')
      return {
        type: 'data',
        names: paths,
        appeared: new Set([...paths].filter((path) => !shownBefore.has(path))),
      };
    const hosts = [...paths].map((path) => segmentsOf(path)[0] ?? '');
    return { type: 'mapping', names: new Set(hosts), appeared: null };
  }

  /** The leaves that show at or below `path`, in byte order. */
  leaves(tree: TreeName, path: string): Leaf[] {
    return inByteOrder([...shownOf(this.trees[tree])].filter(([at]) => isAtOrBelow(at, path)));
  }

  #execute(command: ContentCommand): void {
    if (command.type === 'setRules') for (const [host, rules] of command.rules) this.rules.set(host, rules);
    else if (command.type === 'deleteRules') for (const host of command.hosts) this.rules.delete(host);
    else {
      const values = this.trees[command.tree];
      if (command.type === 'deleteValue') values.delete(command.path);
      if (command.type === 'delete') for (const path of command.paths) removeBelow(values, path);
      if (command.type === 'replace') removeBelow(values, command.path);
      if ('leaves' in command) for (const [path, value] of command.leaves) values.set(path, value);
    }
  }
}

export function inByteOrder(leaves: readonly Leaf[]): Leaf[] {
  return [...leaves].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function removeBelow(values: Values, path: string): void {
  for (const at of [...values.keys()]) if (isAtOrBelow(at, path)) values.delete(at);
}

function shownOf(values: Values): Values {
  const paths = [...values.keys()];
  return new Map([...values].filter(([path]) => !paths.some((other) => other.startsWith(`${path}/`))));
}

function texts(rules: ReadonlyMap<string, readonly AccessRule[]>): Values {
  return new Map([...rules].map(([host, list]) => [host, JSON.stringify(list)]));
}

function differing(before: Values, after: Values): Set<string> {
  const names = [...before.keys(), ...after.keys()];
  return new Set(names.filter((name) => before.get(name) !== after.get(name)));
}

function snapshot({ trees, rules }: Pick<NaiveState, 'trees' | 'rules'>) {
  return [trees.data, trees.mapping, texts(rules)].map((map) => [...map].sort());
}
