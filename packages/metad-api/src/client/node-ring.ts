/** A node that a client may ask. */
export interface RingNode {
  readonly url: URL;
  /** On the clock of `performance.now()`: it has asked not to be asked before. */
  notBeforeMs: number;
}

/** The nodes of a cluster, of which one is asked until it fails; then the next is. */
export class NodeRing {
  readonly #nodes: readonly RingNode[];
  #turn: number;

  /** Throws a TypeError when an endpoint is no http or https URL, or when there is none. */
  constructor(endpoints: readonly string[], startAt: 'random' | 'first') {
    if (endpoints.length === 0) throw new TypeError('a client needs at least one endpoint');
    this.#nodes = endpoints.map((endpoint) => ({ url: parseEndpoint(endpoint), notBeforeMs: 0 }));
    // Many clients with one list of nodes: each begins somewhere else, so that all nodes get their share.
    this.#turn = startAt === 'first' ? 0 : Math.floor(Math.random() * endpoints.length);
  }

  get size(): number {
    return this.#nodes.length;
  }

  /** The node whose turn it is; when that wants to be left alone, the next one that does not. */
  next(nowMs: number): RingNode {
    const inTurn = this.#nodes.map((_, step) => this.#at(this.#turn + step));
    const free = inTurn.find(({ notBeforeMs }) => notBeforeMs <= nowMs);
    return free ?? inTurn.reduce((best, node) => (node.notBeforeMs < best.notBeforeMs ? node : best));
  }

  /** The node has failed: the one after it is next. Several calls may have failed on it at once. */
  moveOn(failed: RingNode, times: { readonly nowMs: number; readonly notBeforeMs: number }): void {
    const isNext = this.next(times.nowMs) === failed;
    failed.notBeforeMs = Math.max(failed.notBeforeMs, times.notBeforeMs);
    if (isNext) this.#turn = (this.#nodes.indexOf(failed) + 1) % this.#nodes.length;
  }

  #at(turn: number): RingNode {
    const node = this.#nodes[turn % this.#nodes.length];
    if (node === undefined) throw new Error('the ring is not empty');
    return node;
  }
}

function parseEndpoint(endpoint: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new TypeError(`an endpoint is a URL such as http://10.0.0.1:8080, not ${JSON.stringify(endpoint)}`);
  }
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    throw new TypeError(
      'an endpoint is a scheme, a host, perhaps a port and the path that all requests begin with',
    );
  }
  return url;
}
