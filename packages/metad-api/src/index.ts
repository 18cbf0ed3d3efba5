export type { Clock } from './deadlines.ts';
export type { MetricsPage } from './manage-app.ts';
export { createMetadApps, type MetadApps, type MetadDependencies } from './metad-apps.ts';
export type { RequestReport } from './observer.ts';
export { readBody } from './read-body.ts';
export type {
  BarrierOutcome,
  ProposeOutcome,
  RefusalReason,
  Replica,
  ReplicaStatus,
} from './replica.ts';
export { DEFAULT_METAD_SETTINGS, type MetadSettings } from './settings.ts';
