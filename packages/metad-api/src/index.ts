export type { RequestReport } from './http/observer.ts';
export { readBody } from './http/read-body.ts';
export type { MetricsPage } from './manage/manage-app.ts';
export { createMetadApps, type MetadApps, type MetadDependencies } from './metad-apps.ts';
export type {
  BarrierOutcome,
  ProposeOutcome,
  RefusalReason,
  Replica,
  ReplicaStatus,
} from './replica.ts';
export { DEFAULT_METAD_SETTINGS, type MetadSettings } from './settings.ts';
export type { Clock } from './wait/deadlines.ts';
