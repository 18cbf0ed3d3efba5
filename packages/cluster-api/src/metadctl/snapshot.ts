import type { Endpoint } from './endpoint.ts';

/** How long a node may take to copy a large state. */
const COPY_PATIENCE_MS = 30 * 60_000;

/** Asks one node to take a snapshot, which lets it compact its log. */
export async function takeSnapshot(endpoint: Endpoint, print: (text: string) => void): Promise<void> {
  const answer = await endpoint.ask('POST', '/snapshot', COPY_PATIENCE_MS);
  if (answer.status !== 200) throw await endpoint.refused(answer);
  print(await answer.body.text());
}
