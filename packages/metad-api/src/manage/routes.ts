import { type Answer, answerOf } from '../http/answer.ts';
import { record } from '../render/document.ts';
import { type Form, renderDocument } from '../render/render.ts';
import { BatchResource } from './batch-resource.ts';
import { ExplainResource } from './clients/explain-resource.ts';
import { PreviewResource } from './clients/preview-resource.ts';
import { dataTree } from './data-tree.ts';
import type { ManageParts, ManageRequest } from './manage-request.ts';
import { mappingTree } from './mapping-tree.ts';
import { DiffResource } from './past/diff-resource.ts';
import { HistoryResource } from './past/history-resource.ts';
import { RuleResource } from './rule-resource.ts';
import type { TreeKinds } from './tree-kind.ts';
import { TreeResource } from './tree-resource.ts';

/** Prometheus metrics, or whatever the daemon has to show. */
export type MetricsPage = () => Promise<{ readonly contentType: string; readonly body: string }>;

export type Handler = (request: ManageRequest) => Promise<Answer> | Answer;
export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export interface Route {
  /** Also what it is called in measurements. */
  readonly path: string;
  /** Whether there are paths below it. */
  readonly isTree?: true;
  /** Open to everyone; all else is for those whom the guard lets through. */
  readonly isOpen?: true;
  /** Whether it shows or changes the state: then every answer carries a version. */
  readonly isState?: true;
  /** HEAD is GET without its body. */
  readonly handlers: Readonly<Partial<Record<Method, Handler>>>;
  /** The parameters that mean something, beside `pretty`. */
  readonly options?: Readonly<Partial<Record<Method, readonly string[]>>>;
}

/** Of every read of the state. */
const FRESHNESS = ['consistency', 'min_version', 'max_lag'];

const JSON_FORM: Form = { format: 'json', pretty: false };

/** All that the manage API serves. */
export function routesOf(parts: ManageParts, metrics: MetricsPage | undefined): Route[] {
  const kinds = { data: dataTree(parts.settings), mapping: mappingTree(parts.settings) };
  const trees = Object.values(kinds).map((kind): Route => {
    const resource = new TreeResource(kind, parts);
    return {
      path: `/v1/${kind.tree}`,
      isTree: true,
      isState: true,
      handlers: {
        GET: (request) => resource.get(request),
        POST: (request) => resource.put(request, 'replace'),
        PUT: (request) => resource.put(request, 'merge'),
        DELETE: (request) => resource.delete(request),
      },
      options: { GET: ['version', 'limit', 'cursor', ...FRESHNESS], DELETE: ['subs'] },
    };
  });
  const rules = new RuleResource(parts);
  const ruleRoute: Route = {
    path: '/v1/rule',
    isState: true,
    handlers: {
      GET: (request) => rules.get(request),
      POST: (request) => rules.put(request),
      PUT: (request) => rules.put(request),
      DELETE: (request) => rules.delete(request),
    },
    options: { GET: ['hosts', ...FRESHNESS], DELETE: ['hosts'] },
  };
  const batch = new BatchResource(parts, kinds);
  return [
    ...trees,
    ruleRoute,
    { path: '/v1/batch', isState: true, handlers: { POST: (request) => batch.post(request) } },
    ...clientRoutes(parts),
    ...historyRoutes(parts, kinds),
    healthRoute(),
    readyRoute(parts),
    ...(metrics ? [metricsRoute(metrics)] : []),
  ];
}

/** What clients see, for operators. */
function clientRoutes(parts: ManageParts): Route[] {
  const explained = new ExplainResource(parts);
  const preview = new PreviewResource(parts);
  return [
    {
      path: '/v1/explain',
      isState: true,
      handlers: { GET: (request) => explained.get(request) },
      options: { GET: ['ip', 'path', 'limit', ...FRESHNESS] },
    },
    {
      path: '/v1/preview',
      isTree: true,
      isState: true,
      handlers: { GET: (request) => preview.get(request) },
      options: { GET: ['ip', ...FRESHNESS] },
    },
  ];
}

/** What was before. */
function historyRoutes(parts: ManageParts, kinds: TreeKinds): Route[] {
  const history = new HistoryResource(parts, kinds);
  const diff = new DiffResource(parts, kinds);
  return [
    {
      path: '/v1/history',
      isTree: true,
      isState: true,
      handlers: { GET: (request) => history.get(request) },
      options: { GET: ['limit', 'before', 'tree', ...FRESHNESS] },
    },
    {
      path: '/v1/diff',
      isState: true,
      handlers: { GET: (request) => diff.get(request) },
      options: { GET: ['from', 'to', 'path', 'tree', 'limit', ...FRESHNESS] },
    },
  ];
}

function healthRoute(): Route {
  const body = renderDocument(record({ status: 'up' }), JSON_FORM);
  const answer = answerOf({ form: JSON_FORM, body, version: null });
  return { path: '/health', isOpen: true, handlers: { GET: () => answer } };
}

function readyRoute({ replica }: ManageParts): Route {
  const ready = () => {
    const { hasLeader, caughtUp, quarantine, removal } = replica.status();
    const reasons = [
      ...(quarantine ? [`this node is ${quarantine}`] : []),
      ...(removal ? [removal] : []),
      ...(hasLeader ? [] : ['no leader is known']),
      ...(caughtUp ? [] : ['this node has not caught up']),
    ];
    const isReady = reasons.length === 0;
    const document = isReady ? record({ status: 'ready' }) : record({ status: 'notReady', reasons });
    const body = renderDocument(document, JSON_FORM);
    return answerOf({ status: isReady ? 200 : 503, form: JSON_FORM, body, version: null });
  };
  return { path: '/ready', isOpen: true, handlers: { GET: ready } };
}

function metricsRoute(metrics: MetricsPage): Route {
  const show = async (): Promise<Answer> => {
    const { contentType, body } = await metrics();
    return { status: 200, contentType, body, length: Buffer.byteLength(body), version: null, headers: {} };
  };
  return { path: '/metrics', handlers: { GET: show } };
}
