import { expect, onTestFinished, test } from 'vitest';
import { awaitedLater } from '../src/awaited-later.ts';

test('an error waits for whoever asks for it, and ends no process meanwhile', async () => {
  const unseen: unknown[] = [];
  const note = (error: unknown) => unseen.push(error);
  process.on('unhandledRejection', note);
  onTestFinished(() => void process.off('unhandledRejection', note));
  const error = new Error('broken');
  const promise = awaitedLater(Promise.reject(error));
  // Node looks once the turn is over.
  await new Promise((resolve) => setImmediate(resolve));
  await expect(promise).rejects.toBe(error);
  expect(unseen).toEqual([]);
});
