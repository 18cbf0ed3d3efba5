import { unreachable } from '@metad/raft-core';
import { valueIn } from './linearizability-history.ts';
import type { Violation } from './linearizability-violation.ts';
import type { Operation } from './operation.ts';

/** The violation for a human: one line for each operation of its core, drawn over time. */
export function describeViolation({ key, at, prefix, core }: Violation): string {
  const returned = prefix.filter(({ outcome }) => outcome.type === 'ok').length;
  const times = [...new Set(core.flatMap(timesOf))].sort((a, b) => a - b);
  const written = new Set(core.filter(({ type }) => type !== 'read').map(valueIn));
  const rows = core.map((operation) => [
    `client ${operation.client}`,
    actionOf(operation, written),
    `${operation.call}–${returnOf(operation)}`,
    barOf(operation, times),
  ]);
  return [
    `key ${JSON.stringify(key)} is not linearizable at ${at}, after ${returned} answers. No order explains these:`,
    ...alignColumns(rows).map((line) => `  ${line}`),
  ].join('\n');
}

function timesOf({ call, outcome }: Operation): number[] {
  return outcome.type === 'ok' ? [call, outcome.at] : [call];
}

function actionOf(operation: Operation, written: ReadonlySet<string | null | undefined>): string {
  switch (operation.type) {
    case 'put':
      return `put ${JSON.stringify(operation.value)}`;
    case 'delete':
      return 'delete';
    case 'read': {
      const value = valueIn(operation);
      const unwritten = value !== null && !written.has(value);
      return `read ${JSON.stringify(value ?? null)}${unwritten ? ' (never written)' : ''}`;
    }
    default:
      return unreachable(operation);
  }
}

function returnOf({ outcome }: Operation): string {
  switch (outcome.type) {
    case 'ok':
      return `${outcome.at}`;
    case 'failed':
      return 'failed';
    case 'unknown':
      return 'unknown';
    default:
      return unreachable(outcome);
  }
}

/** Two columns for each moment at which something happens. */
function barOf({ call, outcome }: Operation, times: readonly number[]): string {
  const start = 2 * times.indexOf(call);
  const indent = ' '.repeat(start);
  if (outcome.type === 'failed') return `${indent}×`;
  if (outcome.type === 'unknown') return `${indent}├${'┄'.repeat(2 * times.length - start - 1)}`;
  const end = 2 * times.indexOf(outcome.at);
  return end === start ? `${indent}│` : `${indent}├${'─'.repeat(end - start - 1)}┤`;
}

function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
