import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { end, freePorts, start } from './processes.mjs';

const READY_LIMIT_MS = 60_000;

/** What `etcd --version` says first; null when there is none on the PATH. */
export function etcdVersion() {
  const { status, stdout } = spawnSync('etcd', ['--version'], { encoding: 'utf8' });
  return status === 0 ? (stdout.split('\n')[0] ?? '') : null;
}

/** Three members on this machine, with their defaults, one of them the leader. */
export async function startEtcd(dir) {
  const ports = await freePorts(6);
  const members = [0, 1, 2].map((i) => ({ name: `m${i}`, client: ports[2 * i], peer: ports[2 * i + 1] }));
  const url = (port) => `http://127.0.0.1:${port}`;
  const cluster = members.map(({ name, peer }) => `${name}=${url(peer)}`).join(',');
  for (const member of members) {
    const { name, client, peer } = member;
    const flags = {
      name,
      'data-dir': join(dir, name),
      'listen-client-urls': url(client),
      'advertise-client-urls': url(client),
      'listen-peer-urls': url(peer),
      'initial-advertise-peer-urls': url(peer),
      'initial-cluster': cluster,
      logger: 'zap',
      'log-level': 'error',
    };
    const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
    member.child = start('etcd', args);
  }
  return {
    leader: await findLeader(members),
    stop: () => Promise.all(members.map(({ child }) => end(child, 'SIGTERM'))),
  };
}

/** The member that all agree leads. */
async function findLeader(members) {
  for (const deadline = Date.now() + READY_LIMIT_MS; Date.now() < deadline; await sleep(100)) {
    const found = await Promise.all(members.map((member) => leadsItself(member).catch(() => false)));
    const leader = members[found.indexOf(true)];
    if (leader !== undefined) return leader;
  }
  throw new Error(`etcd has no leader:\n${members.map(({ child }) => child.log).join('\n')}`);
}

async function leadsItself({ client }) {
  const { body } = await request(`http://127.0.0.1:${client}/v3/maintenance/status`, {
    method: 'POST',
    body: '{}',
  });
  const { leader, header } = await body.json();
  return leader !== undefined && leader === header.member_id;
}
