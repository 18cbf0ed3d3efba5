const LINE = /^(\w+)_(sum|count)(?:\{([^}]*)\})? (\S+)$/gm;

/** The histograms in Prometheus' text, by name and labels: `{ sum, count }`. */
export function readHistograms(text) {
  const found = new Map();
  for (const [, name, field, labels, value] of text.matchAll(LINE)) {
    const key = labels === undefined ? name : `${name}{${labels}}`;
    found.set(key, { ...found.get(key), [field]: Number(value) });
  }
  return found;
}

/** What was observed between two readings: for each histogram that was, how often, and the mean. */
export function observedBetween(before, after) {
  const observed = new Map();
  for (const [key, { sum, count }] of after) {
    const { sum: sumBefore, count: countBefore } = before.get(key) ?? { sum: 0, count: 0 };
    if (count > countBefore) {
      observed.set(key, { count: count - countBefore, mean: (sum - sumBefore) / (count - countBefore) });
    }
  }
  return observed;
}
