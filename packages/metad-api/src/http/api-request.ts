import type { BodySource } from './read-body.ts';

/** A request as the apps see it, whichever way it came in. */
export interface ApiRequest {
  readonly method: string;
  /** The request target as it stood on the request line: nothing decoded, nothing resolved. */
  readonly target: string;
  /** The address at the other end of the connection; undefined when it is closed already. */
  readonly peerAddress: string | undefined;
  /** `name` is in lower case; several headers of that name are joined by commas. */
  header(name: string): string | undefined;
  /** What it carries; nobody has read any of it, and one reads it at most. */
  readonly body: BodySource;
  /** Calls `listener` when the client goes before it is answered, until the returned function is called. */
  onGone(listener: () => void): () => void;
}
