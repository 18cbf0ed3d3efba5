import { type NodeId, nodeId } from '../../src/ids.ts';

/** The words of one command, taken from left to right. Throws for what is not as expected. */
export class CommandWords {
  #words: string[];

  constructor(text: string) {
    this.#words = text.split(' ').filter((word) => word !== '');
  }

  get left(): number {
    return this.#words.length;
  }

  word(): string {
    const word = this.#words.shift();
    if (word === undefined) throw new Error('something is missing at the end');
    return word;
  }

  maybeWord(): string | undefined {
    return this.#words.shift();
  }

  /** Takes the next word when it is `word`. */
  maybe(word: string): boolean {
    if (this.#words[0] !== word) return false;
    this.#words.shift();
    return true;
  }

  oneOf<T extends string>(choices: readonly T[]): T {
    const word = this.word();
    const choice = choices.find((one) => one === word);
    if (choice === undefined) throw new Error(`${word} is none of ${choices.join(', ')}`);
    return choice;
  }

  number(): number {
    const word = this.word();
    if (!/^\d+$/.test(word)) throw new Error(`${word} is no number`);
    return Number(word);
  }

  /** As many numbers as follow. */
  numbers(): number[] {
    const numbers: number[] = [];
    while (/^\d+$/.test(this.#words[0] ?? '')) numbers.push(this.number());
    return numbers;
  }

  node(): NodeId {
    return parseNode(this.word());
  }

  /** As many nodes as follow. */
  nodes(): NodeId[] {
    const nodes: NodeId[] = [];
    while (/^n\d+$/.test(this.#words[0] ?? '')) nodes.push(this.node());
    return nodes;
  }

  /** `n1>n2`, `n1>` or `>n2`, when that is next. */
  maybeLink(): { readonly from: NodeId | null; readonly to: NodeId | null } | undefined {
    const [from, to] = this.#words[0]?.split('>') ?? [];
    if (from === undefined || to === undefined) return undefined;
    this.#words.shift();
    return { from: from === '' ? null : parseNode(from), to: to === '' ? null : parseNode(to) };
  }

  end(): void {
    if (this.#words.length > 0) throw new Error(`what is "${this.#words.join(' ')}"?`);
  }
}

export function parseNode(word: string): NodeId {
  if (!/^n\d+$/.test(word)) throw new Error(`${word} is no node`);
  return nodeId(Number(word.slice(1)));
}

/** `2.5`: a term and an index. */
export function parseTermAndIndex(word: string): readonly [term: number, index: number] {
  const [term, index] = word.split('.').map(Number);
  if (term === undefined || index === undefined) throw new Error(`${word} is no log id`);
  return [term, index];
}
