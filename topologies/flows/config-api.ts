// People and pipelines change configuration: PostgreSQL is its home, the outbox publishes it. What they do to runs goes to the log at once.
import { topics } from '../topics.ts';
import type { PerformFlow } from './flow.ts';

export const configApiFlow: PerformFlow = {
  kind: 'perform',
  service: 'config-api',
  title: 'configuration',
  reads: [],
  tables: [],
  writes: [topics.config, topics.playbookVersions, topics.audit, topics.runs, topics.sinkRequests],
  group: null,
  touches: ['PostgreSQL'],
};
