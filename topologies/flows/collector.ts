// Runs in several chunks are put together, so that a command over all rows, or over the first that matches, can be decided.
import { actions } from '../actions/registry.ts';
import { groups } from '../groups.ts';
import { commandTopic, topics } from '../topics.ts';
import type { FoldFlow } from './flow.ts';

export const collectorFlow: FoldFlow = {
  kind: 'fold',
  service: 'collector',
  title: 'chunks become one run',
  reads: [topics.collections],
  tables: [topics.timers],
  changelog: topics.collectionChanges,
  writes: [
    ...Object.keys(actions).map(commandTopic),
    topics.collections,
    topics.collectionChanges,
    topics.timers,
    topics.events,
    topics.deadLetters,
  ],
  group: groups.collector,
};
