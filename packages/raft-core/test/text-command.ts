import type { Write } from '../simulation/write.ts';

/** Any text is a command to a store of a test, and puts a key of that name. */
export function decodeText(command: Uint8Array): Write {
  const text = new TextDecoder().decode(command);
  return { type: 'put', key: text, value: text };
}
