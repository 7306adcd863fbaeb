// Commands are carried out: one flow per action type, each with its own topic and group.
import { manifests } from '../actions/registry.ts';
import { actionGroup, groups } from '../groups.ts';
import { commandTopic, topics } from '../topics.ts';
import type { PerformFlow } from './flow.ts';

export const actionFlows: readonly PerformFlow[] = [...manifests.values()].map((manifest) => ({
  kind: 'perform',
  service: 'actions',
  title: manifest.id,
  reads: [commandTopic(manifest.id)],
  tables: [topics.config, topics.timers],
  // Timers fire into the topic that the flow reads.
  writes: [
    topics.results,
    topics.events,
    topics.deadLetters,
    topics.timers,
    commandTopic(manifest.id),
    ...(manifest.asks ?? []),
  ],
  group: actionGroup(manifest.id),
  touches: [manifest.title],
}));

/** Checks of connections that people ask for; any process of the actions checks any connection. */
export const connectionChecksFlow: PerformFlow = {
  kind: 'perform',
  service: 'actions',
  title: 'checks of connections',
  reads: [topics.connectionChecks],
  tables: [topics.config],
  writes: [],
  group: groups.connectionChecks,
  touches: ['destinations of connections', 'PostgreSQL'],
};
