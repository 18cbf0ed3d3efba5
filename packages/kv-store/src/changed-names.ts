import type { Change } from './change.ts';
import type { TreeName } from './command.ts';
import { segmentsOf } from './path.ts';
import type { Version } from './version.ts';

/** What the operations of one command change for those who read, by kind. */
export class ChangedNames {
  readonly #names = new Map<TreeName | 'rules', readonly string[]>();

  get isEmpty(): boolean {
    return this.#names.size === 0;
  }

  /** What one operation changed; null: nothing. Hidden values are a change that names nobody. */
  add(kind: TreeName | 'rules', names: readonly string[] | null): void {
    if (names === null) return;
    const before = this.#names.get(kind);
    this.#names.set(kind, before === undefined ? names : [...new Set([...before, ...names])]);
  }

  /** One change for each kind. */
  at(version: Version): Change[] {
    return [...this.#names].map(([kind, names]): Change => {
      if (kind === 'data') return { type: kind, version, paths: names };
      return { type: kind, version, hosts: kind === 'mapping' ? hostsOf(names) : names };
    });
  }
}

/** The first names of the paths, each once. */
function hostsOf(paths: readonly string[]): string[] {
  return [...new Set(paths.map((path) => segmentsOf(path)[0] ?? ''))];
}
