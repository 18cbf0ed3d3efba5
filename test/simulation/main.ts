import { parseArgs } from 'node:util';
import { showMutants } from './show-mutants.ts';
import { showSeed } from './show-seed.ts';
import { showSeeds } from './show-seeds.ts';

const USAGE = `npm run simulate -- [options]

  --seeds N         runs that many seeds on all cores (default: 1000)
  --from N          the first of them (default: 1; with --minutes a random one)
  --minutes N       runs as many seeds as fit into that time
  --seed N          runs one seed; with --trace, prints who did what and when
  --ticks N         how long the faults of each run last (default: as the seed says)
  --store files     whole nodes: the real store on real files instead of one in memory
  --mutants         runs the seeds against each known bug, and tells in how many it was caught
  --until-caught    stops at the first seed that catches a mutant
  --mutant NAME     only that one; with --seed and --trace, its story

Ends with status 1 when a promise was broken, a mutant survived, or a kind of event was never met.
`;

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      from: { type: 'string' },
      minutes: { type: 'string' },
      seed: { type: 'string' },
      ticks: { type: 'string' },
      store: { type: 'string', default: 'memory' },
      trace: { type: 'boolean', default: false },
      mutants: { type: 'boolean', default: false },
      'until-caught': { type: 'boolean', default: false },
      mutant: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return true;
  }
  const { store, trace } = values;
  if (store !== 'memory' && store !== 'files')
    throw new RangeError(`--store is memory or files, not ${store}`);
  const ticks = positive('ticks', values.ticks);
  const seed = positive('seed', values.seed);
  const seeds = positive('seeds', values.seeds);
  const mutant = values.mutant ?? null;
  if (seed !== null) return showSeed({ seed, trace, store, ticks, mutant });
  if (trace) throw new RangeError('--trace needs --seed');
  if (values.mutants || mutant !== null)
    return showMutants({ seeds: seeds ?? 200, only: mutant, untilCaught: values['until-caught'] });
  const minutes = positive('minutes', values.minutes);
  const from = positive('from', values.from) ?? (minutes === null ? 1 : Math.ceil(Math.random() * 1e9));
  return showSeeds({ from, seeds: minutes === null ? (seeds ?? 1000) : null, minutes, store, ticks });
}

function positive(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new RangeError(`--${name} is a positive integer, not ${text}`);
  return value;
}

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  const isUsage = error instanceof RangeError || (error instanceof TypeError && 'code' in error);
  if (!isUsage) throw error;
  process.stderr.write(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
