/** A parameter such as `subs=a,b`: its names, or null when it is not there at all. */
export function readNames(query: URLSearchParams | null, parameter: string): readonly string[] | null {
  const values = query?.getAll(parameter) ?? [];
  return values.length === 0 ? null : values.join(',').split(',');
}
