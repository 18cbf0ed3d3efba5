import type { Change } from './change.ts';
import type { TreeName } from './command.ts';
import { segmentsOf } from './path.ts';
import type { Version } from './version.ts';

/** What one command changes for those who read, by kind. */
export class ChangedNames {
  readonly #names = new Map<TreeName | 'rules', readonly string[]>();

  get isEmpty(): boolean {
    return this.#names.size === 0;
  }

  /** Each kind once; null: nothing. Hidden values are a change that names nobody. */
  add(kind: TreeName | 'rules', names: readonly string[] | null): void {
    if (names !== null) this.#names.set(kind, names);
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
