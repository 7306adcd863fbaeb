// Playbooks are carried out: one fold for the runs, one that brings events to the runs that wait for them.
import { actions } from '../actions/registry.ts';
import { groups } from '../groups.ts';
import { commandTopic, topics } from '../topics.ts';
import type { FoldFlow } from './flow.ts';

export const runsFlow: FoldFlow = {
  kind: 'fold',
  service: 'playbooks',
  title: 'runs',
  reads: [topics.runs],
  tables: [topics.playbookVersions, topics.timers],
  changelog: topics.runEvents,
  writes: [
    topics.runEvents,
    ...Object.keys(actions).map(commandTopic),
    topics.events,
    topics.timers,
    topics.correlations,
    // Runs of other playbooks are started, and answer, and timers fire.
    topics.runs,
    // From CONFIG_DIR: revisions that are not there yet.
    topics.playbookVersions,
    topics.deadLetters,
  ],
  group: groups.runs,
};

export const correlationsFlow: FoldFlow = {
  kind: 'fold',
  service: 'playbooks',
  title: 'correlations',
  reads: [topics.correlations],
  tables: [],
  changelog: topics.correlationChanges,
  writes: [topics.correlationChanges, topics.runs, topics.deadLetters],
  group: groups.correlations,
};
