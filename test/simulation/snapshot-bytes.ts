import { MAX_CHUNK_BYTES, type SnapshotReader, type SnapshotReceiver } from '@metad/kv-store';

/** A snapshot file on its way. */
export class SnapshotBytes {
  /** Hex; the manifest's. */
  readonly checksum: string;
  readonly bytes: Uint8Array;

  constructor(checksum: string, bytes: Uint8Array) {
    this.checksum = checksum;
    this.bytes = bytes;
  }
}

/** Reads all of it, `chunkBytes` at a time. */
export function readSnapshot(reader: SnapshotReader, chunkBytes = MAX_CHUNK_BYTES): SnapshotBytes {
  const { bytes, checksum } = reader.manifest;
  const whole = new Uint8Array(bytes);
  for (let offset = 0; offset < bytes; offset += chunkBytes) {
    whole.set(reader.readSync(offset, chunkBytes), offset);
  }
  return new SnapshotBytes(checksum, whole);
}

/** Hands over what is not there yet, in chunks. */
export function writeSnapshot(
  { bytes }: SnapshotBytes,
  receiver: SnapshotReceiver,
  chunkBytes = MAX_CHUNK_BYTES,
): void {
  while (receiver.offset < bytes.length) {
    const { offset } = receiver;
    receiver.writeSync(offset, bytes.subarray(offset, offset + chunkBytes));
  }
}
