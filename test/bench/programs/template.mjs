/**
 * `{c}` and `{n}` become the connection's and the request's number, `{r}` a random number below the job's `keys`, `{q}`
 * its thousands. `{n8}` is the number with leading zeros, 8 digits long.
 */
const PLACEHOLDER = /\{([cnrq])(\d*)\}/;

/** Gives the bytes of a connection's next request: `(connection, number) => string | Buffer`. */
export function compileTemplate({ method, path, headers = '', body }, keys) {
  const fillPath = compile(path);
  const fillBody = body === undefined ? null : compile(body);
  const render = (values) => {
    const start = `${method} ${fillPath(values)} HTTP/1.1\r\nHost: bench\r\n${headers}`;
    if (fillBody === null) return `${start}\r\n`;
    const text = fillBody(values);
    return `${start}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
  };
  if (!PLACEHOLDER.test(path + (body ?? ''))) {
    const fixed = Buffer.from(render({}));
    return () => fixed;
  }
  return (c, n) => {
    const r = Math.floor(Math.random() * keys);
    return render({ c, n, r, q: Math.floor(r / 1000) });
  };
}

function compile(text) {
  // Splitting by a pattern with groups gives: text, name, digits, text, name, digits, …, text.
  const parts = text.split(PLACEHOLDER);
  return (values) => {
    let filled = parts[0];
    for (let i = 1; i < parts.length; i += 3) {
      filled += String(values[parts[i]]).padStart(Number(parts[i + 1]), '0') + parts[i + 2];
    }
    return filled;
  };
}
