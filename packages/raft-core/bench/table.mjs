export function printTable(cells) {
  const head = ['', 'batch', 'per second', 'of bare', 'bytes each', 'bare bytes'];
  const lines = cells.map(({ name, batch, perSecond, barePerSecond, bytes, bareBytes }) => [
    name,
    String(batch),
    perSecond.toFixed(0),
    (perSecond / barePerSecond).toFixed(3),
    bytes.toFixed(0),
    bareBytes.toFixed(0),
  ]);
  const widths = head.map((text, column) =>
    Math.max(text.length, ...lines.map((line) => line[column].length)),
  );
  const format = (line) =>
    line
      .map((text, column) => (column === 0 ? text.padEnd(widths[0]) : text.padStart(widths[column])))
      .join('  ');
  console.log(
    [format(head), widths.map((width) => '-'.repeat(width)).join('  '), ...lines.map(format)].join('\n'),
  );
}
