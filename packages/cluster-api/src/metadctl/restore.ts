import type { NodeId } from '@metad/raft-core';
import { restoreCluster } from '../restore.ts';

export interface RestoreOptions {
  readonly backup: string;
  readonly data_dir: string;
  readonly id: NodeId;
  readonly advertise_cluster: string;
  readonly print: (text: string) => void;
}

/** Makes a data directory from a backup and says how to go on. Throws a StoreError. */
export function restore({ backup, data_dir, id, advertise_cluster, print }: RestoreOptions): void {
  const restored = restoreCluster({ backup, dataDir: data_dir, node: id, addr: advertise_cluster });
  print(`restored ${backup}, at version ${restored.backup.version}, into ${data_dir}`);
  print(`  node ${id} alone is the new cluster ${restored.cluster}, at version ${restored.version}`);
  print(`  start it: metad --id ${id} --data_dir ${data_dir} --listen_cluster ${advertise_cluster}`);
}
