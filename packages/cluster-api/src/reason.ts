/** What went wrong, for a log line or an answer. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
