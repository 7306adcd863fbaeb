// Findings, search results and the engine's own events become commands, starts of runs, and events for runs that wait.
import { actions } from '../actions/registry.ts';
import { groups } from '../groups.ts';
import { commandTopic, topics } from '../topics.ts';
import type { DecideFlow } from './flow.ts';

export const evaluatorFlow: DecideFlow = {
  kind: 'decide',
  service: 'evaluator',
  title: 'rules decide',
  reads: [topics.findings, topics.searchResults, topics.events],
  tables: [topics.config, topics.playbookVersions],
  writes: [
    ...Object.keys(actions).map(commandTopic),
    topics.collections,
    topics.runs,
    topics.correlations,
    // Only with a folder of files; otherwise the config API publishes them.
    topics.playbookVersions,
    topics.events,
    topics.deadLetters,
  ],
  group: groups.evaluator,
};
