import { getHeapStatistics } from 'node:v8';

const WARM_UP_MS = 300;
const SAMPLE_MS = 150;
const SAMPLES = 7;
const TURNS_BETWEEN_LOOKS = 16;
/** Enough to hide what looking costs, few enough to fit into the young heap. */
const allocationTurns = (batch) => (batch === 1 ? 300 : 50);

/** Runs whole turns for about so long; returns how many there were in a second. */
function turnsPerSecond(turn, milliseconds) {
  const started = performance.now();
  let turns = 0;
  let took = 0;
  while (took < milliseconds) {
    for (let i = 0; i < TURNS_BETWEEN_LOOKS; i += 1) turn();
    turns += TURNS_BETWEEN_LOOKS;
    took = performance.now() - started;
  }
  return (turns / took) * 1000;
}

/** What each kind of turn does in a second, `batch` in each; measured in turns, so that other load meets all alike. */
export function perSecond(batch, kinds) {
  for (const turn of kinds) turnsPerSecond(turn, WARM_UP_MS);
  const samples = kinds.map(() => []);
  for (let i = 0; i < SAMPLES; i += 1) {
    kinds.forEach((turn, kind) => {
      samples[kind].push(batch * turnsPerSecond(turn, SAMPLE_MS));
    });
  }
  return samples.map(median);
}

/** Bytes of heap that one of `batch` in a turn takes, garbage included. Needs --expose-gc and a large young heap. */
export function allocatedEach(batch, kinds) {
  const turns = allocationTurns(batch);
  return kinds.map((turn) => {
    turnsPerSecond(turn, WARM_UP_MS);
    const samples = Array.from({ length: SAMPLES }, () => {
      globalThis.gc();
      const before = getHeapStatistics().used_heap_size;
      for (let i = 0; i < turns; i += 1) turn();
      return (getHeapStatistics().used_heap_size - before) / (turns * batch);
    });
    return median(samples);
  });
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
