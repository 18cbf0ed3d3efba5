import type { AppendEntries, Message, NodeId } from '@metad/raft-core';

/** Long enough for a client that waits for one write to send the next one, too short for a reader to notice. */
const HOLD_MS = 1;

/**
 * Sends what the core hands out, in its order for each peer, but while writes follow each other closely it lets an append
 * without entries wait for a moment: that only tells that something is committed, which the next append tells as well.
 * Where one comes, the peer is spared a message, a turn and an answer for each write. To Raft it is a message that was
 * lost, or took a little longer. A write that comes alone is told of at once: somebody may wait for it on any node.
 */
export class CommitNotices {
  readonly #send: (messages: readonly Message[]) => void;
  readonly #held = new Map<NodeId, AppendEntries>();
  #timer: NodeJS.Timeout | null = null;
  /** When the newest commit was to be told of, until entries follow it. */
  #committedAt: number | null = null;
  /** Whether entries followed the last commit so soon that it could have left with them. */
  #writesGoOn = false;

  constructor(send: (messages: readonly Message[]) => void) {
    this.#send = send;
  }

  send(messages: readonly Message[]): void {
    const leaving: Message[] = [];
    for (const message of messages) {
      const held = this.#held.get(message.to);
      if (held !== undefined) {
        this.#held.delete(message.to);
        if (!covers(message, held)) leaving.push(held);
      }
      if (message.type === 'appendEntries') this.#noteWrites(message);
      if (isNotice(message) && this.#writesGoOn) this.#hold(message);
      else leaving.push(message);
    }
    if (leaving.length > 0) this.#send(leaving);
  }

  /** Sends what is held now: somebody waits for it. */
  flush(): void {
    if (this.#held.size === 0) return;
    const held = [...this.#held.values()];
    this.#held.clear();
    this.#send(held);
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#held.clear();
  }

  #noteWrites(append: AppendEntries): void {
    const now = performance.now();
    if (isNotice(append)) {
      this.#committedAt = now;
    } else if (this.#committedAt !== null) {
      this.#writesGoOn = now - this.#committedAt < HOLD_MS;
      this.#committedAt = null;
    }
  }

  /** One timer runs on until nothing is held: setting it anew for each write would cost more than it saves. */
  #hold(message: AppendEntries): void {
    this.#held.set(message.to, message);
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.flush();
    }, HOLD_MS);
  }
}

function isNotice(message: Message): message is AppendEntries {
  return message.type === 'appendEntries' && message.entries.length === 0;
}

/** Whether the peer learns from an append all that the held one would tell it: the core sends them in this order. */
function covers(message: Message, held: AppendEntries): boolean {
  return message.type === 'appendEntries' && message.term === held.term;
}
