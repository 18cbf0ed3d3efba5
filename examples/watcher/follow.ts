import { setTimeout as delay } from 'node:timers/promises';
import type { MirrorFile } from './mirror-file.ts';

export interface FollowOptions {
  /** Metadata addresses, such as `http://127.0.0.1:8080`; at least one. The first is asked until it fails. */
  readonly nodes: readonly string[];
  /** What to follow: `/self`, or any path of the tree. */
  readonly path: string;
  /** The media type in which the file is kept. */
  readonly accept: string;
  readonly file: MirrorFile;
  /** How long a node holds a request in which nothing happens. */
  readonly waitSeconds: number;
  /** Ends the following. */
  readonly signal: AbortSignal;
  /** Hears of each change and each failure. */
  readonly report: (event: FollowEvent) => void;
}

export type FollowEvent =
  | { readonly type: 'written' | 'removed'; readonly node: string; readonly version: number }
  | { readonly type: 'failed'; readonly node: string; readonly reason: string; readonly retryMs: number };

type Answer =
  | { readonly type: 'content'; readonly content: string; readonly version: number }
  /** Nothing is mapped, or what is mapped is gone or forbidden. */
  | { readonly type: 'nothing'; readonly version: number }
  | { readonly type: 'failed'; readonly reason: string };

/** What a held request may take beyond its time before its node counts as gone. */
const GRACE_MS = 5000;
const FIRST_BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 5000;

/**
 * Keeps the file in step with what the cluster shows this client, until the signal is aborted. The version of the last
 * answer goes along with every request, to whichever node: one that is behind catches up first or fails, and an older
 * answer is never taken. Throws only when the file can't be written.
 */
export async function follow(options: FollowOptions): Promise<void> {
  const { nodes, file, signal, report } = options;
  let version: number | null = null;
  let failures = 0;
  for (let turn = 0; !signal.aborted; ) {
    const node = nodes[turn % nodes.length] ?? '';
    const answer = notOlder(await ask(node, version, options), version);
    if (signal.aborted) return;
    if (answer.type === 'failed') {
      turn += 1;
      failures += 1;
      const retryMs = backoffMs(failures);
      report({ type: 'failed', node, reason: answer.reason, retryMs });
      await pause(retryMs, signal);
      continue;
    }
    failures = 0;
    // Nothing new: the wait has timed out, or this node does not hold requests and must not be asked in a tight loop.
    if (answer.version === version) await pause(FIRST_BACKOFF_MS, signal);
    version = answer.version;
    if (answer.type === 'content') {
      if (await file.replace(answer.content)) report({ type: 'written', node, version });
    } else if (await file.remove()) report({ type: 'removed', node, version });
  }
}

async function ask(node: string, version: number | null, options: FollowOptions): Promise<Answer> {
  const deadline = AbortSignal.timeout(options.waitSeconds * 1000 + GRACE_MS);
  try {
    const response = await fetch(urlOf(node, version, options), {
      headers: { accept: options.accept, ...(version === null ? {} : { 'x-metad-version': `${version}` }) },
      signal: AbortSignal.any([deadline, options.signal]),
    });
    return answerFrom(response, await response.text());
  } catch (error) {
    return { type: 'failed', reason: reasonOf(error) };
  }
}

function urlOf(node: string, version: number | null, { path, file, waitSeconds }: FollowOptions): URL {
  const url = new URL(path, node);
  if (version !== null) {
    url.searchParams.set('wait', 'true');
    url.searchParams.set('prev_version', `${version}`);
    url.searchParams.set('timeout', `${waitSeconds}`);
  } else if (file.exists()) {
    // The file may be of any version, so only an answer that is certainly not older may replace it. Without a file
    // there is nothing to fall behind, and a machine can start although the cluster has lost its quorum.
    url.searchParams.set('consistency', 'linearizable');
  }
  return url;
}

/** Only what carries a version comes from metad: a proxy's 404 must not remove the file. */
function answerFrom(response: Response, content: string): Answer {
  const header = response.headers.get('x-metad-version') ?? '';
  const version = /^\d+$/.test(header) ? Number(header) : null;
  if (version !== null && response.status === 200) return { type: 'content', content, version };
  if (version !== null && response.status === 404) return { type: 'nothing', version };
  return {
    type: 'failed',
    reason: `answered ${response.status}${version === null ? ' without a version' : ''}`,
  };
}

function notOlder(answer: Answer, version: number | null): Answer {
  if (answer.type === 'failed' || version === null || answer.version >= version) return answer;
  return {
    type: 'failed',
    reason: `is behind: it has version ${answer.version}, ${version} was seen already`,
  };
}

/** Grows with each failure, and is spread out so that many watchers do not come back at the same moment. */
function backoffMs(failures: number): number {
  const longest = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(failures - 1, 10));
  return Math.round(longest * (0.5 + Math.random() / 2));
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
