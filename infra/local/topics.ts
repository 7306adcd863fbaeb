// Creates the topics that are missing; brokers here and in most companies create none by themselves.
// Invariant: a topic that exists is left as it is, also with another number of partitions: the cluster may be somebody else's.
import { openLogClient, parseLogSettings } from '@tocsin/adapters/log/client.ts';
import { allTopics, topicSpec } from '@tocsin/topologies/all-topics.ts';
import type { LogClient } from '@tocsin/topologies/ports/log.ts';

/** Creates what is missing on the cluster that the environment names. Answers the created names. */
export async function createMissingTopics(env: NodeJS.ProcessEnv): Promise<string[]> {
  const client: LogClient = await openLogClient(parseLogSettings(env, 'tocsin-setup'));
  const admin = client.admin();
  try {
    const existing = new Set(await admin.listTopics());
    const missing = allTopics().filter((topic) => !existing.has(topic.name));
    return missing.length === 0 ? [] : await admin.ensureTopics(missing.map((topic) => topicSpec(topic)));
  } finally {
    await admin.close();
  }
}
