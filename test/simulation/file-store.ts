import type { StoreFactory } from '@metad/raft-core/simulation';

export const openFileStore: StoreFactory = (node) => {
  throw new Error(`node ${node} has no file store yet`);
};
