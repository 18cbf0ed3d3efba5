import type { IncomingHttpHeaders } from 'node:http';

/** A header of Node's own request, by its lower-case name; what was sent several times is joined as the Web does it. */
export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
