/**
 * For a promise that somebody awaits later, maybe only once it has rejected: until then Node would take its error for
 * one that nobody sees, and end the process. Whoever awaits it gets it all the same.
 */
export function awaitedLater<T>(promise: Promise<T>): Promise<T> {
  void Promise.allSettled([promise]);
  return promise;
}
