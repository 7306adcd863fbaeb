// Every topic once. Names are settings with these defaults; flows refer to the objects, never to strings.

export interface Topic {
  /** Name in flows, settings and docs. */
  readonly id: string;
  /** Default name in Kafka. Only '-' and '.' as separators: '_' and '.' collide in Kafka's metric names. */
  readonly name: string;
  /** What the record key is. */
  readonly key: string;
  readonly content: string;
  readonly partitions: number;
  readonly policy: 'delete' | 'compact';
  /** Retention in hours for policy delete. */
  readonly retentionHours: number | null;
  /** Further settings of the topic in Kafka. */
  readonly config: Readonly<Record<string, string>>;
  /** Written by systems outside this repository. */
  readonly external: boolean;
  /** Schema document of the value, where there is one. */
  readonly schema: string | null;
}

const week = 7 * 24;
const year = 365 * 24;

function topic(
  definition: Omit<Topic, 'external' | 'schema' | 'retentionHours' | 'config' | 'partitions' | 'policy'> &
    Partial<Topic>,
): Topic {
  return {
    partitions: 12,
    policy: 'delete',
    retentionHours: definition.policy === 'compact' ? null : week,
    config: {},
    external: false,
    schema: null,
    ...definition,
  };
}

export const topics = {
  findings: topic({
    id: 'findings',
    name: 'findings.v1',
    key: 'asset id',
    content: 'product events in the envelope {id, event, timestamp, data}, JSON or Confluent-framed Avro',
    external: true,
    schema: 'envelope.json',
  }),
  searchResults: topic({
    id: 'search-results',
    name: 'search-results.v1',
    key: 'job id',
    content: 'runs of search jobs: rows and the searched time range',
    external: true,
    schema: 'search-result.json',
  }),
  events: topic({
    id: 'events',
    name: 'events.v1',
    key: 'subject id',
    content:
      "the engine's own events: action.triggered, action.completed, action.failed, system.alert, incident.created, incident.changed, risk.scored, mitre.recorded",
    schema: 'envelope.json',
  }),
  results: topic({
    id: 'results',
    name: 'results.v1',
    key: 'command id',
    content: 'outcome of every attempt of every command',
    schema: 'result.json',
  }),
  config: topic({
    id: 'config',
    name: 'config.v1',
    key: '<kind>/<id>',
    content: 'rules, actions, connections, sinks; never secrets',
    partitions: 1,
    policy: 'compact',
    schema: 'config-record.json',
  }),
  audit: topic({
    id: 'audit',
    name: 'audit.v1',
    key: 'object',
    content: 'who changed or decided what',
    partitions: 1,
    retentionHours: year,
  }),
  /** Pending timers of folds, and commands that wait for another attempt. */
  timers: topic({
    id: 'timers',
    name: 'timers.v1',
    // The partition is that of the input topic that the timer fires into, never the hash of this key.
    key: '<input topic>/<token>',
    content: 'pending timers {due, topic, key, payload}; a tombstone when cancelled or fired',
    policy: 'compact',
    // Timers of seconds leave two records each until a segment is rolled and compacted: roll and compact often. Deleting by age
    // as well would drop timers of 90 days.
    config: {
      'segment.ms': String(600_000),
      'segment.bytes': String(64 * 1024 * 1024),
      'min.cleanable.dirty.ratio': '0.2',
      'max.compaction.lag.ms': String(3_600_000),
      'delete.retention.ms': String(86_400_000),
    },
  }),
  collections: topic({
    id: 'collections',
    name: 'collections.v1',
    key: 'hash of tenant, run, rule and action key',
    content: 'chunks of runs that commands over the whole run wait for',
    // What `now` is in a step is the time of the broker, the same in every replay.
    config: { 'message.timestamp.type': 'LogAppendTime' },
    schema: 'collection-input.json',
  }),
  collectionChanges: topic({
    id: 'collection-changes',
    name: 'collection-changes.v1',
    key: 'hash of tenant, run, rule and action key',
    content: 'one record for each applied collection input, with the state after it',
  }),
  runs: topic({
    id: 'runs',
    name: 'runs.v1',
    key: 'run key',
    content: 'inputs of playbook runs: starts, results, timers, events, decisions, what operators do',
    retentionHours: 2 * week,
    // What `now` is in a step is the time of the broker, the same in every replay.
    config: { 'message.timestamp.type': 'LogAppendTime' },
    schema: 'run-input.json',
  }),
  runEvents: topic({
    id: 'run-events',
    name: 'run-events.v1',
    key: 'run key',
    content: 'one record for each applied input of a run, with the state after it',
    retentionHours: year + 35 * 24,
  }),
  playbookVersions: topic({
    id: 'playbook-versions',
    name: 'playbook-versions.v1',
    key: '<playbook>@<revision>',
    content: 'published revisions of playbooks with the actions that they pin; never changed',
    partitions: 1,
    policy: 'compact',
    schema: 'playbook-version.json',
  }),
  correlations: topic({
    id: 'correlations',
    name: 'correlations.v1',
    key: 'correlation key',
    content: 'runs that wait for an event, and events that some playbook waits for',
    config: { 'message.timestamp.type': 'LogAppendTime' },
    schema: 'correlation-input.json',
  }),
  correlationChanges: topic({
    id: 'correlation-changes',
    name: 'correlation-changes.v1',
    key: 'correlation key',
    content: 'one record for each applied correlation input, with the state after it',
    // Longer than the longest wait, so that lost states come back whole.
    retentionHours: 92 * 24,
  }),
  scanRequests: topic({
    id: 'scan-requests',
    name: 'scan-requests.v1',
    key: 'asset id',
    content: 'scans that rescan actions ask for; read by scanners, outside of this repository',
    schema: 'scan-request.json',
  }),
  jobRequests: topic({
    id: 'job-requests',
    name: 'job-requests.v1',
    key: 'job id',
    content: 'runs of jobs that run-job actions ask for; read by job schedulers, outside of this repository',
    schema: 'job-request.json',
  }),
  assetUpdates: topic({
    id: 'asset-updates',
    name: 'asset-updates.v1',
    key: 'asset id',
    content:
      'changes of tags that tag actions ask for; read by asset inventories, outside of this repository',
    schema: 'asset-update.json',
  }),
  deliveries: topic({
    id: 'deliveries',
    name: 'deliveries.v1',
    key: 'sink',
    content:
      'requests of webhooks with their answers, as many as are told; sinks that were paused or run again',
    schema: 'delivery.json',
  }),
  sinkRequests: topic({
    id: 'sink-requests',
    name: 'sink-requests.v1',
    key: 'sink',
    content: 'what people ask of a sink: a test, or that a record is delivered again',
    partitions: 3,
    retentionHours: 24,
    schema: 'sink-request.json',
  }),
  connectionChecks: topic({
    id: 'connection-checks',
    name: 'connection-checks.v1',
    key: 'connection',
    content: 'checks of connections that people ask for',
    partitions: 3,
    retentionHours: 24,
    schema: 'connection-check.json',
  }),
  deadLetters: topic({
    id: 'dead-letters',
    name: 'dead-letters.v1',
    key: 'original key',
    content: 'original bytes of what could not be handled, with reason headers',
    retentionHours: year,
    schema: 'dead-letter.json',
  }),
} as const satisfies Record<string, Topic>;

/** The command topic of one action type. */
export function commandTopic(type: string): Topic {
  return topic({
    id: `commands.${type}`,
    name: `commands.${type}.v1`,
    key: 'ordering key of the type',
    content: `commands for the action type ${type}; one that waited comes back as its timer, {kind: timer, command, ...}`,
    schema: 'command.json',
  });
}

const names = new Map(Object.values(topics).map(({ id, name }) => [id as string, name]));

/** Name in Kafka of the topic with this id; null when there is none. */
export function topicNameOf(id: string): string | null {
  return names.get(id) ?? null;
}

/** Ids of the topics that a sink reads: findings, where its document names none. */
export function sinkTopicIds(sink: object): readonly string[] {
  return (sink as { readonly topics?: readonly string[] }).topics ?? [topics.findings.id];
}
