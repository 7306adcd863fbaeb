// A consumer that is killed in the middle of its work: prints `partition/offset` for each record it has completed.
// Arguments: client, brokers, topic, group; then, when wanted, session timeout (ms) and instance id.
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { openLogClient } from '../client.ts';
import type { LogClientName } from '../settings.ts';
import { settingsFor } from './broker-subject.ts';

const [client, brokers, topic, group, sessionMs = '6000', instanceId] = process.argv.slice(2) as [
  LogClientName,
  string,
  string,
  string,
  string?,
  string?,
];
const consumer = (await openLogClient(settingsFor(client, brokers))).consumer({
  group,
  topics: [topic],
  commitIntervalMs: 50,
  sessionTimeoutMs: Number(sessionMs),
  ...(instanceId === undefined ? {} : { instanceId }),
  handler: {
    onBatch: async (batch, assignment) => {
      for (let index = 0; index < batch.count; index++) {
        await sleep(2);
        writeSync(1, `${batch.partition}/${batch.offset(index)}\n`);
        assignment.complete(batch.offset(index), batch.offset(index) + 1);
      }
    },
  },
});
await consumer.start();
