import { z } from 'zod';
import { CommandError } from './command-error.ts';
import type { Endpoint } from './endpoint.ts';
import { describeForeign } from './foreign.ts';
import { parseJson } from './json.ts';

/** How long one node may take to say how it is. */
const PROBE_PATIENCE_MS = 3_000;

const METRICS = z.object({
  Ok: z.object({
    id: z.number(),
    current_term: z.number(),
    state: z.string(),
    current_leader: z.number().nullable(),
    last_log_index: z.number().nullable(),
    last_applied: z.object({ index: z.number() }).nullable(),
    cluster: z.string().nullable(),
    instance: z.string(),
    instances: z.record(z.string(), z.string().nullable()),
    removed: z.boolean(),
    feature_level: z.number(),
    max_feature_level: z.number(),
    membership_config: z.object({
      log_id: z.object({ leader_id: z.object({ term: z.number() }), index: z.number() }).nullable(),
      membership: z.object({
        configs: z.array(z.array(z.number())),
        nodes: z.record(z.string(), z.object({ addr: z.string() })),
      }),
    }),
  }),
});

type Metrics = z.infer<typeof METRICS>['Ok'];

/** What one member says of itself, or why it says nothing. */
type Seen =
  | { readonly metrics: Metrics; readonly version: string }
  | { readonly failure: string; readonly isForeign: boolean };

/**
 * Asks one node for the members, then each of them how it is. Throws a CommandError unless somebody leads and nobody
 * answers in the place of a member.
 */
export async function showStatus(endpoint: Endpoint, print: (text: string) => void): Promise<void> {
  const asked = await readMetrics(endpoint);
  const { membership } = asked.membership_config;
  const nodes = Object.entries(membership.nodes).map(([id, { addr }]) => ({ id: Number(id), addr }));
  if (nodes.length === 0) throw new CommandError(`${endpoint.url.origin} waits to be added to a cluster`);
  const members = await Promise.all(
    nodes.map(async (node) => ({ ...node, seen: await look(endpoint.at(node.addr), node.id, asked) })),
  );
  const leader = leaderAmong(members.flatMap(({ seen }) => ('metrics' in seen ? [seen.metrics] : [])));
  const voters = new Set(membership.configs.flat());
  const rows = members.map(({ id, addr, seen }) => [
    String(id),
    addr,
    ...('failure' in seen
      ? [voters.has(id) ? 'voter' : 'learner', '-', '-', '-', '-', seen.failure]
      : [seen.metrics.state.toLowerCase(), ...progress(seen.metrics, seen.version, leader)]),
  ]);
  print(columns([['NODE', 'ADDRESS', 'ROLE', 'VERSION', 'APPLIED', 'LAG', 'LEVEL', ''], ...rows]));
  if (membership.configs.length > 1) print('a change of voters is under way');
  if (asked.removed) {
    throw new CommandError(
      `${endpoint.url.origin} is node ${asked.id}, which was removed: these are the members that it knew; ask one of them`,
    );
  }
  const foreign = members.filter(({ seen }) => 'failure' in seen && seen.isForeign);
  if (foreign.length > 0) {
    throw new CommandError(
      `not the member answers for ${foreign.map(({ id }) => `node ${id}`).join(', ')}: end who does, or correct the address`,
    );
  }
  if (leader === null) throw new CommandError('no node leads: a majority of the voters must run');
}

/** Of those who say that they lead, the one of the newest term. */
function leaderAmong(seen: readonly Metrics[]): Metrics | null {
  const leaders = seen.filter(({ state }) => state === 'Leader');
  return leaders.sort((a, b) => b.current_term - a.current_term)[0] ?? null;
}

function progress(metrics: Metrics, version: string, leader: Metrics | null): string[] {
  const { last_applied, feature_level: level, max_feature_level: max } = metrics;
  const applied = last_applied?.index ?? 0;
  const end = leader?.last_log_index;
  return [
    version,
    String(applied),
    end === undefined || end === null ? '-' : String(Math.max(0, end - applied)),
    max > level ? `${level}, lets it rise to ${max}` : String(level),
    '',
  ];
}

async function look(endpoint: Endpoint, id: number, asked: Metrics): Promise<Seen> {
  try {
    const metrics = await readMetrics(endpoint);
    const foreign = describeForeign(id, metrics, asked);
    if (foreign !== null) return { failure: foreign, isForeign: true };
    const answer = await endpoint.ask('HEAD', '/read-all?consistency=local', PROBE_PATIENCE_MS);
    await endpoint.text(answer);
    const version = answer.headers['x-metad-version'];
    return { metrics, version: typeof version === 'string' ? version : '-' };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { failure: error.message, isForeign: false };
  }
}

async function readMetrics(endpoint: Endpoint): Promise<Metrics> {
  const answer = await endpoint.ask('GET', '/metrics', PROBE_PATIENCE_MS);
  if (answer.status !== 200) throw await endpoint.refused(answer);
  const parsed = METRICS.safeParse(parseJson(await endpoint.text(answer)));
  if (parsed.success) return parsed.data.Ok;
  throw new CommandError(`${endpoint.url.origin} is no cluster port of metad: expected its metrics`);
}

/** Rows with their columns aligned. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
