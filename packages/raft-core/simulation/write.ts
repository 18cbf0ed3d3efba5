import { assert } from '@metad/raft-core';

/** What a client asks the state machine for. Keys and values are ASCII without blanks. */
export type Write =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'delete'; readonly key: string };

/** As text, so that a trace of entries can be read. */
export function describeWrite(write: Write): string {
  return write.type === 'put' ? `put ${write.key} ${write.value}` : `delete ${write.key}`;
}

export function encodeWrite(write: Write): Uint8Array {
  const text = describeWrite(write);
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

export function decodeWrite(data: Uint8Array): Write {
  const [type, key, value] = String.fromCharCode(...data).split(' ');
  assert(key !== undefined, 'a write names its key');
  if (type === 'delete') return { type, key };
  assert(type === 'put' && value !== undefined, 'a write is a put or a delete');
  return { type, key, value };
}
