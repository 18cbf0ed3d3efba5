import type { FileHandle } from 'node:fs/promises';

const CHUNK_BYTES = 256 * 1024;
/** A reader that takes nothing for so long is gone, or as good as gone. */
const STALL_MS = 60_000;

/** The bytes of a file, a chunk at a time as they are taken. Closes it and calls `release` once, however it ends. */
export function streamFile(handle: FileHandle, release: () => void): ReadableStream<Uint8Array> {
  let stall: NodeJS.Timeout | null = null;
  let isClosed = false;
  const close = async () => {
    if (stall !== null) clearTimeout(stall);
    if (isClosed) return;
    isClosed = true;
    await handle.close().finally(release);
  };
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        if (stall !== null) clearTimeout(stall);
        try {
          const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES);
          if (bytesRead === 0) {
            // In this order: whoever sees the end may ask for the next one at once.
            await close();
            controller.close();
            return;
          }
          controller.enqueue(buffer.subarray(0, bytesRead));
        } catch (error) {
          await close();
          throw error;
        }
        stall = setTimeout(() => {
          controller.error(new Error('the reader took nothing for too long'));
          void close();
        }, STALL_MS).unref();
      },
      cancel: close,
    },
    { highWaterMark: 1 },
  );
}
