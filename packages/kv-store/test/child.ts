/**
 * A process of its own that writes one batch after another and prints the index of each once it is written and applied.
 * Arguments: directory, number of batches or `endless`, entries in a batch, `unsynced` to move only the commit index.
 * Runs the built package, as plain Node cannot read the sources.
 */
export const childScript = `
  import { encodeCommand, Store } from '${new URL('../dist/index.js', import.meta.url).href}';
  const [directory, batches, size = '1', mode = 'synced'] = process.argv.slice(1);
  const store = Store.open(directory);
  let index = store.log.lastLog.index;
  const put = (at) => {
    const leaves = [['/n/' + (at % 1000), 'x'.repeat(100) + at]];
    const data = encodeCommand({ type: 'merge', tree: 'data', leaves });
    return { term: 1, leader: 1, index: at, payload: { type: 'command', data } };
  };
  const hardState = (committed) => ({ term: 1, votedFor: null, committed });
  let step;
  const run = (next) => (step = next)();
  const write = () => {
    if (mode === 'unsynced') {
      return store.log.write({ entries: [], hardState: hardState(++index), sync: false });
    }
    const entries = Array.from({ length: Number(size) }, () => put(++index));
    try {
      run(() => store.log.write({ entries, hardState: hardState(index), sync: true }));
      run(() => store.state.apply(entries));
    } catch (error) {
      console.log(error.name, error.code);
      try {
        step();
      } catch (again) {
        console.log(again === error);
      }
      process.exit(3);
    }
    console.log(index);
  };
  if (batches === 'endless') setInterval(write, 0);
  else {
    if (mode === 'unsynced') {
      const entries = Array.from({ length: Number(batches) }, (_, at) => put(at + 1));
      store.log.write({ entries, hardState: hardState(0), sync: true });
    }
    for (let batch = 0; batch < Number(batches); batch++) write();
    // Not closed: the sync of an orderly end is not to be counted.
    process.exit(0);
  }
`;
