// Creates the topics that are missing; brokers here and in most companies create none by themselves.
// Invariant: a topic that exists is left as it is, also with another number of partitions: the cluster may be somebody else's.
import { createLogClient, parseLogSettings } from '@tocsin/adapters/log/client.ts';
import type { LogClient, TopicSpec } from '@tocsin/topologies/ports/log.ts';
import { allTopics } from '@tocsin/topologies/render/pages.ts';
import type { Topic } from '@tocsin/topologies/topics.ts';

const HOUR_MS = 3_600_000;

/** How Kafka is asked for a topic; replication -1 takes the cluster's default (KIP-464, brokers from 2.4 on). */
export function topicSpec(topic: Topic): TopicSpec {
  const retention =
    topic.retentionHours === null ? {} : { 'retention.ms': String(topic.retentionHours * HOUR_MS) };
  return {
    name: topic.name,
    partitions: topic.partitions,
    replicationFactor: -1,
    config: { 'cleanup.policy': topic.policy, ...retention },
  };
}

/** Creates what is missing on the cluster that the environment names. Answers the created names. */
export async function createMissingTopics(env: NodeJS.ProcessEnv): Promise<string[]> {
  const client: LogClient = createLogClient(parseLogSettings(env, 'tocsin-setup'));
  const admin = client.admin();
  try {
    const existing = new Set(await admin.listTopics());
    const missing = allTopics().filter((topic) => !existing.has(topic.name));
    return missing.length === 0 ? [] : await admin.ensureTopics(missing.map(topicSpec));
  } finally {
    await admin.close();
  }
}
