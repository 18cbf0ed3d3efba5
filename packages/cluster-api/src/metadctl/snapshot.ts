import { z } from 'zod';
import { CommandError } from './command-error.ts';
import { formatBytes } from './describe.ts';
import type { Endpoint } from './endpoint.ts';
import { parseJson } from './json.ts';

/** How long a node may take to copy a large state. */
const COPY_PATIENCE_MS = 30 * 60_000;

const SNAPSHOT = z.object({
  Ok: z.object({ log_id: z.object({ index: z.number() }), version: z.number(), bytes: z.number() }),
});

/** Asks one node to take a snapshot of what it has applied. Throws a CommandError. */
export async function takeSnapshot(endpoint: Endpoint, print: (text: string) => void): Promise<void> {
  const answer = await endpoint.ask('POST', '/snapshot', COPY_PATIENCE_MS);
  if (answer.status !== 200) throw await endpoint.refused(answer);
  const parsed = SNAPSHOT.safeParse(parseJson(await endpoint.text(answer)));
  if (!parsed.success) throw new CommandError(`${endpoint.url.origin} does not say what it has done`);
  const { log_id, version, bytes } = parsed.data.Ok;
  print(`took a snapshot up to log index ${log_id.index}: version ${version}, ${formatBytes(bytes)}`);
}
