import type { Random } from '@metad/raft-core/simulation';
import type { Viewer } from './chronicle.ts';
import type { Leaves, Operation, Rule } from './operation.ts';

// A small world, so that writes, rules and mappings meet all the time: groups of the same few leaves, some of which lie
// below others (`sub` has a value of its own, which is hidden while there are values below it).

const GROUPS = ['/t/g0', '/t/g1', '/t/g2', '/t/g3', '/t/g4', '/t/g5'] as const;
const NAMES = ['a', 'b', 'secret', 'sub', 'sub/x', 'sub/y'] as const;
const KEYS = ['node', 'role', 'peers/first', 'peers/second'] as const;

const PLACES = [
  ...['/self', '/self', '/self', '/self/node', '/self/node/secret', '/self/peers', '/self/peers/first'],
  ...['/t', '/', '/t/g0', '/t/g1', '/t/g2', '/t/g3/secret', '/t/g4/a', '/t/g5/sub', '/t/g0/sub/x'],
];

/** Clients of distinct addresses, and what each of them looks at. */
export function viewersOf(count: number): Viewer[] {
  return Array.from({ length: count }, (_, number) => ({
    host: `10.77.${number >> 8}.${number & 255}`,
    path: PLACES[number % PLACES.length] ?? '/self',
  }));
}

/** Chooses what to write next. Each value is used once. */
export class OperationChoice {
  readonly #random: Random;
  readonly #hosts: readonly string[];
  readonly #name: string;
  #values = 0;

  constructor(options: {
    readonly random: Random;
    readonly hosts: readonly string[];
    readonly name: string;
  }) {
    this.#random = options.random;
    this.#hosts = options.hosts;
    this.#name = options.name;
  }

  next(): Operation {
    const kind = this.#random.below(10);
    if (kind < 5) return this.#data();
    return kind < 8 ? this.#access() : this.#remapped();
  }

  #data(): Operation {
    const group = this.#one(GROUPS);
    const name = this.#one(NAMES);
    const path = `${group}/${name}`;
    switch (this.#random.below(8)) {
      case 0:
        return { type: 'putKey', path, value: this.#value() };
      case 1:
        return { type: 'deleteKey', path };
      case 2:
        return { type: 'delete', tree: 'data', path: this.#random.chance(0.2) ? group : path };
      case 3:
        return { type: 'replace', tree: 'data', path: group, leaves: this.#leaves(NAMES) };
      case 4:
        return {
          type: 'merge',
          tree: 'data',
          path: '/t',
          leaves: { [`g0/${this.#one(['a', 'b'])}`]: this.#value(), [`g1/${name}`]: this.#value() },
        };
      case 5:
        return { type: 'merge', tree: 'data', path: group, leaves: this.#leaves(NAMES) };
      default:
        return { type: 'merge', tree: 'data', path, leaves: { '': this.#value() } };
    }
  }

  #access(): Operation {
    const hosts = this.#some(this.#hosts, 3);
    if (this.#random.chance(0.25)) return { type: 'deleteRules', hosts };
    return { type: 'setRules', rules: Object.fromEntries(hosts.map((host) => [host, this.#rules()])) };
  }

  #rules(): readonly Rule[] {
    const group = this.#one(GROUPS);
    const choices: readonly (readonly Rule[])[] = [
      [],
      [{ path: '/', mode: 1 }],
      [allow('/'), forbid('/t/*/secret')],
      [allow('/'), forbid(group)],
      [allow(group)],
      [allow(group), forbid(`${group}/sub`), allow(`${group}/sub/y`)],
      [allow('/t/*/a'), forbid(`${group}/a`)],
      [allow('/t'), forbid('/t/*/sub'), allow(`${group}/sub/x`)],
    ];
    return this.#one(choices);
  }

  #remapped(): Operation {
    const path = `/${this.#one(this.#hosts)}`;
    const key = this.#one(KEYS);
    switch (this.#random.below(6)) {
      case 0:
        return { type: 'delete', tree: 'mapping', path: this.#random.chance(0.5) ? path : `${path}/${key}` };
      case 1:
        return { type: 'merge', tree: 'mapping', path: `${path}/${key}`, leaves: { '': this.#target() } };
      case 2:
        return { type: 'merge', tree: 'mapping', path, leaves: { [key]: this.#target() } };
      default:
        return { type: 'replace', tree: 'mapping', path, leaves: this.#mapping() };
    }
  }

  #mapping(): Leaves {
    return Object.fromEntries(this.#some(KEYS, KEYS.length).map((key) => [key, this.#target()]));
  }

  #target(): string {
    const group = this.#one(GROUPS);
    return this.#random.chance(0.6) ? group : `${group}/${this.#one(NAMES)}`;
  }

  #leaves(names: readonly string[]): Leaves {
    const chosen = this.#some(names, names.length);
    // A body says of one place either its own value or what is below.
    const isNested = chosen.some((name) => name.startsWith('sub/'));
    const leaves = chosen.filter((name) => !(isNested && name === 'sub'));
    return Object.fromEntries(leaves.map((name) => [name, this.#value()]));
  }

  #value(): string {
    this.#values += 1;
    return `${this.#name}.${this.#values}`;
  }

  #some<T>(all: readonly T[], most: number): T[] {
    return this.#random.shuffled(all).slice(0, 1 + this.#random.below(most));
  }

  #one<T>(all: readonly T[]): T {
    const chosen = this.#random.pick(all);
    if (chosen === undefined) throw new Error('there is nothing to choose from');
    return chosen;
  }
}

function allow(path: string): Rule {
  return { path, mode: 1 };
}

function forbid(path: string): Rule {
  return { path, mode: 0 };
}
