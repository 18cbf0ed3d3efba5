import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { MetadClient } from '../src/client/index.ts';
import { show } from './client-stub.ts';

// Nodes behind a proxy that speaks TLS. The certificate is for localhost, signed by itself, and good for a century.

const CERT = `-----BEGIN CERTIFICATE-----
MIIBmjCCAUGgAwIBAgIUWw1sO/S2YK5LnmixSWy3UNn6mOwwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjE2NDY1OVoYDzIxMjYxMDI5
MTY0NjU5WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARDgvf78KiiL7o9EQNuXBKVor9s5WiC/EdFw9iZuEaJPnKuj5mDnWpW
pCDKYfAkmE+nLraSQ/YLwAsklrxL3sT8o28wbTAdBgNVHQ4EFgQUUXSVNZp/CIr4
5iw/1px8n8Eusd0wHwYDVR0jBBgwFoAUUXSVNZp/CIr45iw/1px8n8Eusd0wDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDRwAwRAIgBYlb6bqeG/ODjsl5uveJaAff/ZzTEw1S20rH26agK0YCIAFc
jqT6j3QU596G99OT0H/Q+bG5vNyWDH5AHvndythW
-----END CERTIFICATE-----
`;
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQguGzCiS2gFZjUQnUU
ecTjtZmorh7CsWB8NQdibkBA57ahRANCAARDgvf78KiiL7o9EQNuXBKVor9s5WiC
/EdFw9iZuEaJPnKuj5mDnWpWpCDKYfAkmE+nLraSQ/YLwAsklrxL3sT8
-----END PRIVATE KEY-----
`;

async function serve(options: https.ServerOptions = {}): Promise<string> {
  const server = https.createServer({ cert: CERT, key: KEY, ...options }, (_, response) => {
    show(response, 1, 'behind a proxy');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function clientOf(endpoint: string, tls: { ca?: string; cert?: string; key?: string }): MetadClient {
  // One attempt: the pause after it is longer than a call may take.
  const once = { firstBackoffMs: 1_000_000, maxBackoffMs: 1_000_000 };
  const client = new MetadClient({ endpoints: [endpoint], tls, ...once });
  onTestFinished(() => client.close());
  return client;
}

test('reads from an endpoint that it can trust, and keeps the connection', async () => {
  const client = clientOf(await serve(), { ca: CERT });
  for (let number = 0; number < 3; number += 1) {
    expect(await client.get('/a')).toEqual({ found: true, value: 'behind a proxy', version: 1 });
  }
});

test('sends nothing to one that it cannot trust', async () => {
  const error = await clientOf(await serve(), {})
    .get('/a')
    .catch((reason: unknown) => reason);
  expect(error).toMatchObject({ kind: 'unavailable', mayHaveApplied: false });
  expect(error).toHaveProperty('cause.code', 'DEPTH_ZERO_SELF_SIGNED_CERT');
});

test('shows its own certificate where it is asked for one', async () => {
  const endpoint = await serve({ requestCert: true, ca: CERT });
  const client = clientOf(endpoint, { ca: CERT, cert: CERT, key: KEY });
  expect(await client.get('/a')).toMatchObject({ value: 'behind a proxy' });
  const nobody = clientOf(endpoint, { ca: CERT });
  await expect(nobody.get('/a')).rejects.toMatchObject({ kind: 'unavailable' });
});
