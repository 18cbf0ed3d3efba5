import { expect, test } from 'vitest';
import { ReadAhead } from '../src/snapshots/read-ahead.ts';

const BYTES = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);

/** A reader of ten bytes that says what it was asked for. */
function readerOf(bytes: Uint8Array) {
  const asked: number[] = [];
  const read = async (offset: number, length: number) => {
    asked.push(offset);
    return bytes.subarray(offset, offset + length);
  };
  return { asked, read };
}

test('chunks come in order, those after them are read already, and nothing comes at the end', async () => {
  const reader = readerOf(BYTES);
  const chunks = new ReadAhead(reader, { chunkBytes: 4, chunksAhead: 1 });
  expect([...(await chunks.next(0))]).toEqual([0, 1, 2, 3]);
  expect(reader.asked).toEqual([0, 4]);
  expect([...(await chunks.next(4))]).toEqual([4, 5, 6, 7]);
  expect([...(await chunks.next(8))]).toEqual([8, 9]);
  expect([...(await chunks.next(10))]).toEqual([]);
});

test('it goes on from wherever it is asked to', async () => {
  const chunks = new ReadAhead(readerOf(BYTES), { chunkBytes: 2, chunksAhead: 2 });
  await chunks.next(0);
  expect([...(await chunks.next(6))]).toEqual([6, 7]);
  expect([...(await chunks.next(2))]).toEqual([2, 3]);
});

test('an error is told to who asks for the chunk, and to nobody else', async () => {
  const reader = {
    read: (offset: number) =>
      offset < 4 ? Promise.resolve(BYTES.subarray(offset, offset + 2)) : Promise.reject(new Error('no disk')),
  };
  const chunks = new ReadAhead(reader, { chunkBytes: 2, chunksAhead: 2 });
  await chunks.next(0);
  await chunks.next(2);
  await expect(chunks.next(4)).rejects.toThrow('no disk');
  await chunks.end();
});

test('once it has ended nothing is read any more', async () => {
  let open = 0;
  const read = async (offset: number) => {
    open += 1;
    await new Promise((resolve) => setImmediate(resolve));
    open -= 1;
    return BYTES.subarray(offset, offset + 2);
  };
  const chunks = new ReadAhead({ read }, { chunkBytes: 2, chunksAhead: 2 });
  await chunks.next(0);
  await chunks.end();
  expect(open).toBe(0);
});
