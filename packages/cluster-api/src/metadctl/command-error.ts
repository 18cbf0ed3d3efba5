/** Why a command has failed: one line that says it all. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}
