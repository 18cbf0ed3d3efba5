import { logIndex } from '@metad/raft-core';
import type { DigestMark } from '../consensus/digest-check.ts';
import { WireError, type WireReader } from './wire-reader.ts';

/** A mark travels as `[index, digest]`, the digest as its 32 bytes. */
export function writeDigestMark({ index, digest }: DigestMark): unknown[] {
  return [index, Buffer.from(digest, 'hex')];
}

export function readDigestMark(reader: WireReader): DigestMark {
  reader.tuple(2);
  const index = logIndex(reader.integer());
  const digest = reader.binary();
  if (digest.byteLength !== DIGEST_BYTES) throw new WireError(`a digest of ${digest.byteLength} bytes`);
  return { index, digest: Buffer.from(digest).toString('hex') };
}

const DIGEST_BYTES = 32;
