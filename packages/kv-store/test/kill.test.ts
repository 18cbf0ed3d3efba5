import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { Store } from '../src/store.ts';
import { verifyDataDirectory } from '../src/verify-directory.ts';
import { busyScript } from './child.ts';
import { catchUp, dump, put, temporaryDirectory, writeCommands } from './fixtures.ts';

/** Lets a process work on the directory until it has acknowledged that many batches, then kills it. */
async function workAndKill(directory: string, batches: number): Promise<number> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', busyScript, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  let acknowledged = 0;
  let count = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged = Number(line);
    count += 1;
    if (count >= batches) break;
  }
  child.kill('SIGKILL');
  await ended;
  return acknowledged;
}

test('kill -9 while snapshots are taken and the log is compacted loses nothing acknowledged', async () => {
  const directory = temporaryDirectory();
  for (const batches of [3, 40, 11, 77, 150, 25]) {
    const acknowledged = await workAndKill(directory, batches);
    const { initial } = verifyDataDirectory(directory);
    expect(initial.lastLog.index).toBeGreaterThanOrEqual(acknowledged);
    expect(initial.applied.index).toBeGreaterThanOrEqual(acknowledged);
  }
  const store = Store.open(directory);
  catchUp(store);
  const { index } = store.state.applied;
  const found = dump(store.stateFile).data.map(([path, value]) => `${path} ${value.slice(500)}`);
  const expected = Array.from({ length: 50 }, (_, at) => `/n/${at} ${index - ((index - at) % 50)}`);
  expect(found.sort()).toEqual(expected.sort());
  writeCommands(store, put('/after', '1'));
  store.close();
  expect(verifyDataDirectory(directory).initial.lastLog.index).toBe(index + 1);
});
