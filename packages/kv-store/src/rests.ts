/** How long a thread works between two rests, at least: shorter ones would cost more than they give. */
const WORK_MS = 5;

/** A disk that was slow for once is not waited for a second time. */
const MAX_REST_MS = 100;

/**
 * For a thread whose work can wait, to be called often: it rests as long as it has worked, so that those who answer clients
 * have the processors and the disk to themselves half of the time. Ending the thread ends its rest.
 */
export function restHalfTheTime(): () => void {
  const nobodyWakes = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  let since = performance.now();
  return () => {
    const workedMs = performance.now() - since;
    if (workedMs < WORK_MS) return;
    Atomics.wait(nobodyWakes, 0, 0, Math.min(workedMs, MAX_REST_MS));
    since = performance.now();
  };
}
