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

export function printTable(title, rows) {
  const cells = rows.map(({ name, connections, perSecond, p50Ms, p99Ms, failed, limit }) => [
    name,
    String(connections),
    perSecond.toFixed(0),
    p50Ms === null ? '-' : p50Ms.toFixed(2),
    p99Ms === null ? '-' : p99Ms.toFixed(2),
    (perSecond / limit).toFixed(2),
    String(failed),
  ]);
  const head = [title, 'conns', 'per second', 'p50 ms', 'p99 ms', 'ratio', 'failed'];
  const widths = head.map((text, column) =>
    Math.max(text.length, ...cells.map((line) => line[column].length)),
  );
  const format = (line) =>
    line
      .map((text, column) => (column === 0 ? text.padEnd(widths[0]) : text.padStart(widths[column])))
      .join('  ');
  console.log(
    [format(head), widths.map((width) => '-'.repeat(width)).join('  '), ...cells.map(format)].join('\n'),
  );
  const failure = rows.find(({ firstFailure }) => firstFailure);
  if (failure) console.log(`first failure of "${failure.name}": ${failure.firstFailure}`);
  console.log();
}

/** How many times what etcd does each of metad's ways to write does, at the same number of connections. */
export function printTimes(rows) {
  for (const etcd of rows.filter(({ name }) => name.startsWith('etcd'))) {
    const same = rows.filter(
      (other) => other !== etcd && other.connections === etcd.connections && /leader$/.test(other.name),
    );
    const own = same.filter(({ name }) => !name.startsWith('etcd'));
    const times = own.map(
      ({ name, perSecond }) => `${name.split(',')[0]} ${(perSecond / etcd.perSecond).toFixed(1)}×`,
    );
    console.log(`${etcd.connections} connections, times etcd: ${times.join(', ')}`);
  }
  console.log();
}
