export { createTokenCheck } from './http/bearer-token.ts';
export { BodyText } from './http/body-text.ts';
export { endWith } from './http/end-with.ts';
export { inviteBody, inviteOnRead } from './http/invite-body.ts';
export { canonicalAddress } from './http/ip-address.ts';
export type { RequestReport } from './http/observer.ts';
export { describePathExcess, findPathExcess, type PathLimits } from './http/path-limits.ts';
export { createPortGuard } from './http/port-guard.ts';
export type { Checked } from './http/problem.ts';
export { type BodySource, nodeBody, readBody, webBody } from './http/read-body.ts';
export { parseJsonBody } from './manage/json-body.ts';
export type { MetricsPage } from './manage/routes.ts';
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
