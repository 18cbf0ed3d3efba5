import { onTestFinished, vi } from 'vitest';
import type { EventSink } from '../src/stream/event-sink.ts';
import { NOT_FOUND, requestOf, type Sent, settle, type TestNode } from './test-node.ts';

export interface StreamEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: unknown;
}

const EVENTS = { accept: 'text/event-stream' };

/** The client's end of a stream, which reads as quickly or as slowly as a test wants. */
export class TestStream implements EventSink {
  readonly chunks: string[] = [];
  isEnded = false;
  isCut = false;
  fields: readonly string[] = [];
  #isReading = true;
  #onWritable: (() => void) | null = null;
  readonly #gone = new AbortController();

  /** Resolves once the stream is open and has nothing more to say. Rejects when it is answered otherwise. */
  static async open(node: Pick<TestNode, 'apps'>, path: string, sent: Sent = {}): Promise<TestStream> {
    const stream = new TestStream();
    const { signal } = stream.#gone;
    await new Promise<void>((resolve, reject) => {
      const headers = { ...EVENTS, ...sent.headers };
      node.apps.metadata(requestOf(path, { ...sent, headers, signal }), {
        answer: ({ status, body }) => reject(new Error(`${path}: ${status} ${body}`)),
        open(fields) {
          stream.fields = fields;
          resolve();
          return stream;
        },
      });
    });
    onTestFinished(() => stream.leave());
    await settle();
    return stream;
  }

  write(chunk: string | Buffer): boolean {
    this.chunks.push(chunk.toString());
    return this.#isReading;
  }

  onceWritable(listener: () => void): void {
    this.#onWritable = listener;
  }

  end(): void {
    this.isEnded = true;
  }

  destroy(): void {
    this.isCut = true;
    this.leave();
  }

  /** The client closes the connection. */
  leave(): void {
    this.#gone.abort();
  }

  pauseReading(): void {
    this.#isReading = false;
  }

  async resumeReading(): Promise<void> {
    this.#isReading = true;
    const listener = this.#onWritable;
    this.#onWritable = null;
    listener?.();
    await settle();
  }

  /** What was sent by all that has happened so far. */
  async events(): Promise<StreamEvent[]> {
    await settle();
    return this.chunks
      .join('')
      .split('\n\n')
      .map((block) => Object.fromEntries(block.split('\n').map(fieldOf)))
      .filter(({ data }) => data !== undefined)
      .map(({ event, id, data }) => ({ event: String(event), id, data: JSON.parse(String(data)) }));
  }

  /** What the last event showed, as a GET would have answered it; undefined before the first one. */
  get lastShown(): string | undefined {
    const data = [...this.chunks.join('').matchAll(/^data: (.*)$/gm)].at(-1)?.[1];
    return data === undefined ? undefined : shownAs(JSON.parse(data));
  }

  async data(): Promise<unknown[]> {
    return (await this.events()).map(({ data }) => data);
  }

  /** The id with which the client would come back. */
  get lastId(): string | undefined {
    return [...this.chunks.join('').matchAll(/^id: (\d+)$/gm)].at(-1)?.[1];
  }

  async untilEnded(): Promise<void> {
    await vi.waitFor(() => {
      if (!this.isEnded) throw new Error('the stream goes on');
    });
  }
}

function fieldOf(line: string): [name: string, value: string] {
  const colon = line.indexOf(': ');
  return colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 2)];
}

/** The body of a GET that shows the data of an event. */
export function shownAs(data: unknown): string {
  return JSON.stringify(data ?? NOT_FOUND);
}
