// What one disk alone can do: one SQLite transaction, synced, for each write. Prints writes per second.

import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(new URL('../../../packages/kv-store/package.json', import.meta.url));
const Database = require('better-sqlite3');

const { dir, seconds, value } = JSON.parse(process.argv[2]);
const db = new Database(join(dir, 'bare.db'));
db.pragma('journal_mode = WAL');
db.pragma('synchronous = FULL');
db.exec('CREATE TABLE IF NOT EXISTS kv (k TEXT PRIMARY KEY, v TEXT NOT NULL) WITHOUT ROWID');
const put = db.prepare('INSERT INTO kv (k, v) VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v');

const samples = [];
const started = performance.now();
for (let number = 0; performance.now() - started < seconds * 1000; number += 1) {
  const before = performance.now();
  // A value that is there already would not be written at all.
  put.run(`bench/${number % 1000}`, `${number} ${value}`);
  samples.push(performance.now() - before);
}
const took = (performance.now() - started) / 1000;
db.close();
samples.sort((a, b) => a - b);
const at = (share) => samples[Math.floor(samples.length * share)];
const result = {
  perSecond: samples.length / took,
  p50Ms: at(0.5),
  p99Ms: at(0.99),
  failed: 0,
  firstFailure: null,
};
process.stdout.write(`${JSON.stringify(result)}\n`);
