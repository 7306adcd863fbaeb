// The subject of the conformance cases on real brokers.
import { deleteRecordsV2 } from '@platformatic/kafka';
import { Cluster } from '../platformatic/cluster.ts';
import type { LogClientName, LogSettings } from '../settings.ts';
import { createLogClient } from './create-client.ts';
import type { Overrides, Subject } from './subject.ts';

export function settingsFor(
  client: LogClientName,
  brokers: string,
  overrides: Partial<LogSettings> = {},
): LogSettings {
  return {
    client,
    brokers: brokers.split(','),
    clientId: `conformance-${client}`,
    metadataRefreshMs: 500,
    ...overrides,
  };
}

export function brokerSubject(client: LogClientName, brokers: string, replicationFactor = 1): Subject {
  return {
    replicationFactor,
    create: (overrides: Overrides = {}) => createLogClient(settingsFor(client, brokers, overrides)),
    deleteBefore: async (tp, offset) => {
      const cluster = new Cluster(settingsFor(client, brokers));
      try {
        await cluster.topic(tp.topic);
        const leader = cluster.broker(cluster.leader(tp.topic, tp.partition));
        const topics = [
          { name: tp.topic, partitions: [{ partitionIndex: tp.partition, offset: BigInt(offset) }] },
        ];
        await cluster.connections.call(leader, 'meta', deleteRecordsV2.api, [topics, 10_000]);
      } finally {
        await cluster.close();
      }
    },
  };
}
