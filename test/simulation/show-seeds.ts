import { ENGINE, runSeeds } from './seed-pool.ts';
import { Tally } from './tally.ts';

/** A tick stands for the default heartbeat interval. */
const TICK_MS = 100;
const MAX_SHOWN = 10;

/** Runs seeds from `from` on, prints what they covered and how to replay those that failed; whether all is well. */
export async function showSeeds(options: {
  readonly from: number;
  readonly seeds: number | null;
  readonly minutes: number | null;
  readonly store: 'memory' | 'files';
  readonly ticks: number | null;
}): Promise<boolean> {
  const { from, seeds, minutes, store, ticks } = options;
  const started = performance.now();
  const end = minutes === null ? Number.POSITIVE_INFINITY : started + minutes * 60_000;
  const last = seeds === null ? Number.POSITIVE_INFINITY : from + seeds - 1;
  let next = from;
  const tally = new Tally();
  const progress = setInterval(() => process.stderr.write(`${tally.seeds} seeds\n`), 30_000);
  await runSeeds(
    { engine: ENGINE, store, ticks },
    () => (next > last || performance.now() > end ? null : next++),
    (result) => tally.add(result),
  );
  clearInterval(progress);
  print(tally, { store, minutes: (performance.now() - started) / 60_000 });
  return tally.failures.length === 0 && tally.missing().length === 0;
}

function print(tally: Tally, { store, minutes }: { readonly store: string; readonly minutes: number }): void {
  const width = Math.max(...tally.counts().map(([kind]) => kind.length));
  for (const [kind, count] of tally.counts()) say(`${kind.padEnd(width)} ${String(count).padStart(9)}`);
  const hours = (tally.nodeTicks * TICK_MS) / 3_600_000;
  say(
    `\n${tally.seeds} seeds, ${hours.toFixed(1)} node-hours in ${minutes.toFixed(1)} min: ${Math.round(hours / minutes)} a minute`,
  );
  for (const { seed, failure } of tally.failures.slice(0, MAX_SHOWN)) {
    say(
      `\nseed ${seed}: ${failure?.message}\n  npm run simulate -- --seed ${seed} --trace${store === 'files' ? ' --store files' : ''}`,
    );
  }
  if (tally.missing().length > 0)
    say(`never met, so nothing is proven about it: ${tally.missing().join(', ')}`);
  say(tally.failures.length === 0 ? 'no violation' : `${tally.failures.length} seeds failed`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
