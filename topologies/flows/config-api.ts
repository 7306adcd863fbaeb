// People and pipelines change configuration: PostgreSQL is its home, the outbox publishes it. What they do to runs goes to the log at once,
// and dead letters that they send again go back to where they came from.
import { actions } from '../actions/registry.ts';
import { redriveTopics } from '../domain/dead-letters/redrive.ts';
import { commandTopic, topics } from '../topics.ts';
import type { PerformFlow } from './flow.ts';

export const configApiFlow: PerformFlow = {
  kind: 'perform',
  service: 'config-api',
  title: 'configuration',
  // The event stream, without a group: from the end, or from where a client was.
  reads: [topics.findings, topics.events],
  tables: [],
  writes: [
    topics.config,
    topics.playbookVersions,
    topics.audit,
    topics.sinkRequests,
    topics.connectionChecks,
    ...redriveTopics,
    ...Object.keys(actions).map(commandTopic),
  ],
  group: null,
  touches: ['PostgreSQL'],
};
