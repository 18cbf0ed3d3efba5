import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';

/** The machine, in one paragraph: figures mean nothing without it. */
export function describeMachine(dir) {
  const [cpu] = os.cpus();
  const gib = (os.totalmem() / 1024 ** 3).toFixed(0);
  return (
    `${os.cpus().length} × ${cpu?.model ?? 'unknown'}, ${gib} GiB, ${os.type()} ${os.release()}, ` +
    `Node ${process.versions.node}, data on ${fileSystemOf(dir)}; load average ${loadAverage()}`
  );
}

/** Of the last minute: beside other work the figures say little. */
export function loadAverage() {
  return os.loadavg()[0].toFixed(1);
}

/** The kind of file system that holds a folder: by the longest mount point above it. */
function fileSystemOf(dir) {
  const mounts = '/proc/self/mounts';
  if (!existsSync(mounts)) return 'an unknown file system';
  const above = readFileSync(mounts, 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(
      ([, point]) => point !== undefined && (point === '/' || dir === point || dir.startsWith(`${point}/`)),
    );
  const [, , type = 'an unknown file system'] = above.sort(([, a], [, b]) => b.length - a.length)[0] ?? [];
  return type;
}

/** Rows of texts under a head; all but the first column to the right. */
export function printTable(head, rows) {
  const widths = head.map((text, column) => Math.max(text.length, ...rows.map((row) => row[column].length)));
  const format = (row) =>
    row
      .map((text, column) => (column === 0 ? text.padEnd(widths[0]) : text.padStart(widths[column])))
      .join('  ')
      .trimEnd();
  const line = widths.map((width) => '-'.repeat(width)).join('  ');
  console.log(`${[format(head), line, ...rows.map(format)].join('\n')}\n`);
}

/** What load did, beside `base`, the rate that counts as 1. */
export function printRates(title, rows, base) {
  const lines = rows.map((row) => [
    row.name,
    String(row.connections),
    row.perSecond.toFixed(0),
    digits(row.p50Ms, 2),
    digits(row.p99Ms, 2),
    (row.perSecond / base(row)).toFixed(2),
    String(row.failed),
  ]);
  printTable([title, 'conns', 'per second', 'p50 ms', 'p99 ms', 'ratio', 'failed'], lines);
  const failure = rows.find(({ firstFailure }) => firstFailure);
  if (failure) console.log(`first failure of "${failure.name}": ${failure.firstFailure}\n`);
}

/** What is aimed at and what was measured: `{ goal, measured, unit?, atLeast? | atMost? }`. */
export function printGoals(goals) {
  const rows = goals.map(({ goal, measured, unit = '', atLeast, atMost }) => {
    const isMet = atLeast === undefined ? measured <= atMost : measured >= atLeast;
    const limit = atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`;
    return [goal, `${limit}${unit}`, `${digits(measured, 2)}${unit}`, isMet ? 'met' : 'missed'];
  });
  printTable(['goal', 'aim', 'measured', ''], rows);
}

export function digits(value, count) {
  return value === null || value === undefined || Number.isNaN(value) ? '-' : value.toFixed(count);
}
