/**
 * The proposals of one turn as they cross the port: their ids ascend by one, and their commands lie one behind the other.
 * An object and an array of bytes for each of them would take the two threads five times as long.
 */
export interface PackedProposals {
  readonly firstId: number;
  /** Bytes of each command. */
  readonly lengths: readonly number[];
  readonly commands: Uint8Array;
}

export function packProposals(firstId: number, commands: readonly Uint8Array[]): PackedProposals {
  const lengths = commands.map(({ byteLength }) => byteLength);
  const all = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const command of commands) {
    all.set(command, at);
    at += command.byteLength;
  }
  return { firstId, lengths, commands: all };
}

/** Calls `take` with each of them, in their order. The commands share one memory, each has its own part of it. */
export function unpackProposals(
  { firstId, lengths, commands }: PackedProposals,
  take: (id: number, command: Uint8Array) => void,
): void {
  let at = 0;
  lengths.forEach((length, i) => {
    take(firstId + i, commands.subarray(at, at + length));
    at += length;
  });
}
