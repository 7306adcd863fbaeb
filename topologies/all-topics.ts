// All topics, those of the known action types included, and how Kafka is asked for them.
import { actions } from './actions/registry.ts';
import type { TopicSpec } from './ports/log.ts';
import { commandTopic, type Topic, topics } from './topics.ts';

/** Every topic of the system, in a stable order. */
export function allTopics(): Topic[] {
  return [...Object.values(topics), ...Object.keys(actions).map(commandTopic)];
}

/** The topic as a request to the cluster. Replication -1 takes the cluster's default (KIP-464, brokers from 2.4 on). */
export function topicSpec(topic: Topic, replicationFactor = -1): TopicSpec {
  const retention =
    topic.retentionHours === null ? {} : { 'retention.ms': String(topic.retentionHours * 3_600_000) };
  return {
    name: topic.name,
    partitions: topic.partitions,
    replicationFactor,
    config: { 'cleanup.policy': topic.policy, ...retention, ...topic.config },
  };
}
