import { canonicalPath, joinPath, ROOT, segmentsOf } from '@metad/kv-store';
import { canonicalAddress } from '../http/ip-address.ts';
import { describePathExcess, findPathExcess } from '../http/path-limits.ts';
import { badRequest, ok, type Problem, refuse } from '../http/problem.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json-body.ts';
import { findLeafExcess, type LeafLimits } from './leaf-limits.ts';
import type { TreeKind } from './tree-kind.ts';

/** Per address a tree of names that lead to paths of the data. */
export function mappingTree(limits: LeafLimits): TreeKind {
  return {
    tree: 'mapping',
    locate,
    leavesOf: (path, document) => {
      const stored = locate(path);
      if (stored === null) return refuse(noAddress(segmentsOf(path)[0] ?? ''));
      const reader = new MappingReader(limits);
      reader.read(stored, document);
      if (reader.problem !== null) return refuse(reader.problem);
      return ok({ path: stored, leaves: [...reader.leaves] });
    },
    childName: (path, name) => (path === ROOT ? canonicalAddress(name.trim()) : name.trim() || null),
  };
}

/** The path with its address in the form in which it is stored. */
function locate(path: string): string | null {
  if (path === ROOT) return ROOT;
  const [host = '', ...keys] = segmentsOf(path);
  const address = canonicalAddress(host);
  return address === null ? null : `/${[address, ...keys].join('/')}`;
}

function noAddress(host: string): Problem {
  return badRequest(`${JSON.stringify(host)} is no ip address`);
}

/** Collects leaves up to the first problem. */
class MappingReader {
  readonly leaves = new Map<string, string>();
  problem: Problem | null = null;
  readonly #limits: LeafLimits;

  constructor(limits: LeafLimits) {
    this.#limits = limits;
  }

  /** `path` is stored like this, so its address is canonical. */
  read(path: string, document: JsonValue): void {
    const depth = segmentsOf(path).length;
    if (depth <= 1 && !isJsonObject(document)) {
      this.problem ??= badRequest(
        depth === 0 ? 'a mapping is an object of hosts' : `the mapping of ${path.slice(1)} must be an object`,
      );
    } else if (isJsonObject(document)) {
      this.#readMembers(path, document);
    } else {
      this.#readTarget(path, document);
    }
  }

  #readMembers(path: string, object: JsonObject): void {
    const excess = findPathExcess(path, this.#limits);
    if (excess !== null) this.problem ??= badRequest(describePathExcess(excess, this.#limits));
    const written = new Set<string>();
    for (const [rawKey, member] of Object.entries(object)) {
      if (this.problem !== null) return;
      const key = path === ROOT ? this.#readHost(rawKey, written) : this.#readKey(rawKey.toWellFormed());
      if (key !== null) this.read(joinPath(path, `/${key}`), member);
    }
  }

  /** Two spellings of one address would leave to chance which of them counts. */
  #readHost(host: string, written: Set<string>): string | null {
    const address = canonicalAddress(host);
    if (address === null) this.problem = noAddress(host);
    else if (written.has(address)) this.problem = badRequest(`the ip address ${address} is there twice`);
    else written.add(address);
    return address;
  }

  #readKey(key: string): string | null {
    if (key !== '' && key !== '.' && key !== '..' && !key.includes('/')) return key;
    this.problem = badRequest(`a mapping key is one name and no path: ${JSON.stringify(key)}`);
    return null;
  }

  #readTarget(path: string, target: JsonValue): void {
    if (typeof target !== 'string' || !target.startsWith('/')) {
      this.problem = badRequest(`the target of ${path} must be a path that starts with "/"`);
      return;
    }
    const wellFormed = target.toWellFormed();
    const excess =
      findPathExcess(path, this.#limits) ?? findPathExcess(canonicalPath(wellFormed), this.#limits);
    if (excess !== null || Buffer.byteLength(wellFormed) > this.#limits.maxPathBytes) {
      this.problem = badRequest(describePathExcess(excess ?? 'tooLong', this.#limits));
    } else {
      this.leaves.set(path, wellFormed);
      this.problem = findLeafExcess(this.leaves.size, this.#limits);
    }
  }
}
