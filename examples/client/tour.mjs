// What a program does with a cluster. `npm start` in another terminal, then: node examples/client/tour.mjs
import { MetadClient, MetadManageClient } from '@metad/metad-api/client';

const metadata = process.env.METADATA ?? 'http://127.0.0.1:8080,http://127.0.0.1:8081,http://127.0.0.1:8082';
const manage = process.env.MANAGE ?? 'http://127.0.0.1:9611,http://127.0.0.1:9612,http://127.0.0.1:9613';

// Each asks one of the nodes until it fails, then the next.
const client = new MetadClient({ endpoints: metadata.split(',') });
const operator = new MetadManageClient({ endpoints: manage.split(','), author: 'tour' });

// Several changes at one version. Calls are tried again where that may help, and applied once.
await operator.batch({
  do: [
    { put: '/v1/data/tour', value: { name: 'client', step: 1 } },
    { put: '/v1/mapping/127.0.0.1/tour', value: '/tour' },
  ],
});

// The present state first, then each new one: through failures of nodes, none twice, none older than the one before.
for await (const { found, value, version } of client.watch('/self/tour')) {
  console.log(found ? `version ${version}: ${JSON.stringify(value)}` : `version ${version}: nothing to see`);
  if (!found) continue;
  if (value.step === '3') break;
  // Only if nobody has changed it since.
  const next = { expected: version, value: { ...value, step: Number(value.step) + 1 } };
  const { swapped } = await operator.data.compareAndSet('/tour', next);
  if (!swapped) console.log('somebody else was faster');
}

const { changes } = await operator.history('/tour/step');
for (const { version, author, changed } of changes.slice(0, 3)) console.log(version, author, changed?.[0]);

await operator.batch({ do: [{ delete: '/v1/data/tour' }, { delete: '/v1/mapping/127.0.0.1/tour' }] });
client.close();
operator.close();
