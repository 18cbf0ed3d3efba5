import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { MISSING, sorted } from './model-view.ts';
import type { Asked, Witness } from './witness.ts';

/** For who leaves a stream to go on at another node. */
const MAX_STAY_MS = 2_000;
const PAUSE_MS = 25;
/** A node that says nothing for so long is taken for dead; it sends a heartbeat more often. */
const SILENCE_MS = 60_000;

/** A client of streams, as a browser is one: comes back with the last id, at the same node or at another. */
export class StreamClient {
  readonly witness: Witness;
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  #isCalm = false;

  constructor(witness: Witness) {
    this.witness = witness;
    this.#running = this.#run();
  }

  setCalm(isCalm: boolean): void {
    this.#isCalm = isCalm;
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { random, number } = this.witness;
    while (!this.#ended.signal.aborted) {
      const isRestless = !this.#isCalm && number % 2 === 0;
      const leave = isRestless ? [AbortSignal.timeout(random.below(MAX_STAY_MS))] : [];
      await this.#follow(AbortSignal.any([this.#ended.signal, ...leave]));
      this.witness.move();
      if (!this.#ended.signal.aborted) await sleep(PAUSE_MS);
    }
  }

  /** Follows one stream to its end. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { witness } = this;
    const asked = witness.ask();
    try {
      const response = await this.#open(asked, signal);
      if (response.statusCode === 503) {
        witness.tally.sentAway += 1;
        response.resume();
        return;
      }
      const isTold = await this.#read(response, asked);
      if (isTold) witness.tally.sentAway += 1;
      else witness.cut(asked);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Error && 'code' in error)) throw error;
      if (error.code !== 'ECONNREFUSED') witness.cut(asked);
    }
  }

  #open({ node }: Asked, signal: AbortSignal): Promise<http.IncomingMessage> {
    const { host, path, version } = this.witness;
    const headers = {
      Accept: 'text/event-stream',
      'X-Forwarded-For': host,
      ...(version === null ? {} : { 'Last-Event-ID': `${version}` }),
    };
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: node.ports.metadata, path, headers, agent: false, signal };
      const request = http.get(options, resolve);
      request.on('error', reject);
      request.setTimeout(SILENCE_MS, () => request.destroy());
    });
  }

  /** Whether the node said that it stops. */
  async #read(response: http.IncomingMessage, asked: Asked): Promise<boolean> {
    if (response.statusCode !== 200) {
      this.witness.problem(`a stream was answered ${response.statusCode}`);
      return true;
    }
    let rest = '';
    for await (const chunk of response.setEncoding('utf8')) {
      const events = `${rest}${chunk}`.split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events) if (this.#take(event, asked)) return true;
    }
    return false;
  }

  /** One event; true when it is the last one. */
  #take(text: string, asked: Asked): boolean {
    const { witness } = this;
    const fields = new Map(text.split('\n').map((line) => splitField(line)));
    if (fields.get('event') === 'stopping') return true;
    const id = fields.get('id');
    if (id === undefined) return false;
    const data = fields.get('data');
    // A heartbeat says that nothing which shows has changed up to its id.
    const isState = data !== undefined;
    const seen = !isState
      ? witness.seen
      : fields.get('event') === 'missing'
        ? MISSING
        : sorted(JSON.parse(data));
    const isWoken = isState && witness.version !== null;
    if (isWoken) witness.tally.woken += 1;
    witness.see(asked, { version: Number(id), seen, isWoken });
    return false;
  }
}

function splitField(line: string): [name: string, value: string] {
  const colon = line.indexOf(': ');
  return colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 2)];
}
