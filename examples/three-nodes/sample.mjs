/**
 * A small shop: two web servers and a database. This machine, 127.0.0.1, plays web-1, so that a plain curl sees what
 * a host would see.
 */
const DATA = {
  nodes: {
    'web-1': { hostname: 'web-1.shop.internal', ip: '10.0.0.11', role: 'web', zone: 'a' },
    'web-2': { hostname: 'web-2.shop.internal', ip: '10.0.0.12', role: 'web', zone: 'b' },
    'db-1': { hostname: 'db-1.shop.internal', ip: '10.0.0.21', role: 'db', zone: 'a' },
  },
  roles: {
    web: { port: '8080', workers: '4', database: 'db-1.shop.internal:5432' },
    db: { port: '5432', max_connections: '200', secret: { password: 'correct-horse' } },
  },
  clusters: {
    shop: { name: 'shop', dns: '10.0.0.2', ntp: '10.0.0.3', release: '2.4.1' },
  },
};

const WEB_1 = { node: '/nodes/web-1', role: '/roles/web', cluster: '/clusters/shop' };

const MAPPING = {
  '127.0.0.1': WEB_1,
  '10.0.0.11': WEB_1,
  '10.0.0.12': { ...WEB_1, node: '/nodes/web-2' },
  '10.0.0.21': { node: '/nodes/db-1', role: '/roles/db', cluster: '/clusters/shop' },
};

/** Web servers may look around, but into no secrets; db-1 has no rules, so it sees what it is mapped to, and only that. */
const WEB_RULES = [
  { path: '/', mode: 1 },
  { path: '/roles/*/secret', mode: 0 },
];

const RULES = { '127.0.0.1': WEB_RULES, '10.0.0.11': WEB_RULES, '10.0.0.12': WEB_RULES };

/** The sample could not be loaded; the message says why. */
export class SampleError extends Error {}

const TIMEOUT_MS = 20_000;

/**
 * Writes the sample through the manage API at `manageUrl`, unless there is anything in the cluster.
 *
 * @param {string} manageUrl
 * @returns {Promise<boolean>} whether it was written
 */
export async function loadSampleIfEmpty(manageUrl) {
  for (const kind of ['data', 'mapping', 'rule']) {
    const shown = await request(`${manageUrl}/v1/${kind}`, { headers: { accept: 'application/json' } });
    if (Object.keys(JSON.parse(shown)).length > 0) return false;
  }
  await put(`${manageUrl}/v1/data`, DATA);
  await put(`${manageUrl}/v1/mapping`, MAPPING);
  await put(`${manageUrl}/v1/rule`, RULES);
  return true;
}

function put(url, body) {
  return request(url, { method: 'PUT', body: JSON.stringify(body) });
}

async function request(url, init) {
  const what = `The sample could not be loaded: ${init.method ?? 'GET'} ${url}`;
  let response;
  try {
    response = await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    throw new SampleError(`${what}: ${error.cause?.message ?? error.message}`);
  }
  const text = await response.text();
  if (response.ok) return text;
  throw new SampleError(`${what} was answered ${response.status}: ${text.trim()}`);
}
