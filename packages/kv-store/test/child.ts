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
  const append = (entries, hardState) => {
    store.log.append({ entries, hardState, sync: true });
    store.log.syncNow();
  };
  let step;
  const run = (next) => (step = next)();
  const write = () => {
    if (mode === 'unsynced') {
      return store.log.append({ entries: [], hardState: hardState(++index), sync: false });
    }
    const entries = Array.from({ length: Number(size) }, () => put(++index));
    try {
      run(() => append(entries, hardState(index)));
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
      append(entries, hardState(0));
    }
    for (let batch = 0; batch < Number(batches); batch++) write();
    // Not closed: the sync of an orderly end is not to be counted.
    process.exit(0);
  }
`;

/**
 * A process of its own that writes, compacts, purges and takes snapshots without end, and prints the index of each batch
 * that is written and applied. Argument: directory.
 */
export const busyScript = `
  import { encodeCommand, Store } from '${new URL('../dist/index.js', import.meta.url).href}';
  const store = Store.open(process.argv[1]);
  store.startCheckpoints();
  const { votedFor } = store.log.hardState;
  const put = (index) => {
    const data = encodeCommand({ type: 'merge', tree: 'data', leaves: [['/n/' + (index % 50), 'x'.repeat(500) + index]] });
    return { term: 1, leader: 1, index, payload: { type: 'command', data } };
  };
  const from = store.state.applied.index + 1;
  const to = store.log.lastLog.index + 1;
  if (from < to) store.state.apply(store.log.entries({ from, to, maxBytes: 1e9 }));
  const write = () => {
    const first = store.log.lastLog.index + 1;
    const entries = Array.from({ length: 5 }, (_, at) => put(first + at));
    const hardState = { term: 1, votedFor, committed: first + 4 };
    store.write({ snapshot: null, entries, hardState, mustSync: true });
    store.log.syncNow();
    store.state.apply(entries);
    console.log(first + 4);
    if (first % 4 === 0) store.compact(Math.max(first - 20, 0));
    store.log.purge({ maxEntries: 7, maxBytes: 1e6 });
    if (!store.snapshots.isBuilding) void store.takeSnapshot();
    setImmediate(write);
  };
  write();
`;

/**
 * A process of its own that writes 40 batches of one entry, of which the log forgets the first 20 after the 20th when
 * `compacting`. Arguments: directory, `compacting` or `plain`.
 */
export const compactingScript = `
  import { encodeCommand, Store } from '${new URL('../dist/index.js', import.meta.url).href}';
  const store = Store.open(process.argv[1]);
  for (let index = 1; index <= 40; index++) {
    const data = encodeCommand({ type: 'merge', tree: 'data', leaves: [['/n', '' + index]] });
    const entries = [{ term: 1, leader: 1, index, payload: { type: 'command', data } }];
    store.write({ snapshot: null, entries, hardState: { term: 1, votedFor: null, committed: index }, mustSync: true });
    store.log.syncNow();
    store.state.apply(entries);
    if (index !== 20 || process.argv[2] === 'plain') continue;
    store.compact(20);
    while (store.log.purge({ maxEntries: 3, maxBytes: 1e6 }));
  }
  // Not closed: the syncs of an orderly end are not to be counted.
  process.exit(0);
`;

/**
 * A process of its own that writes to one of the two files and moves its write-ahead log after each batch, until that
 * fails; prints what it throws, and what the next write does. Arguments: directory, log or state.
 */
export const movingScript = `
  import { encodeCommand, Store } from '${new URL('../dist/index.js', import.meta.url).href}';
  const store = Store.open(process.argv[1]);
  const moved = process.argv[2];
  let index = 0;
  const write = () => {
    index += 1;
    const leaves = [['/n/' + index, 'x'.repeat(3000)]];
    const data = encodeCommand({ type: 'merge', tree: 'data', leaves });
    const entries = [{ term: 1, leader: 1, index, payload: { type: 'command', data } }];
    if (moved === 'state') store.state.apply(entries);
    else {
      store.write({ snapshot: null, entries, hardState: null, mustSync: true });
      store.log.syncNow();
    }
  };
  try {
    for (;;) {
      write();
      try {
        store[moved].checkpointBeyond(20);
      } catch (error) {
        console.log('checkpoint', error.name, error.code);
        write();
      }
    }
  } catch (error) {
    console.log('write', error.name, error.code);
  }
  process.exit(3);
`;
