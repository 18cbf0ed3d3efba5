/** Where the events of one stream go. */
export interface EventSink {
  /** False: it is taken, but nothing more should be written before the sink is writable again. */
  write(chunk: string | Buffer): boolean;
  onceWritable(listener: () => void): void;
  /** The last of it: what was written still goes out. */
  end(): void;
  /** Cuts the connection. */
  destroy(): void;
}
