// Commands are carried out: one flow per action type, each with its own topic and group.
import { actions } from '../actions/registry.ts';
import { actionGroup, groups } from '../groups.ts';
import { commandTopic, type Topic, topics } from '../topics.ts';
import type { PerformFlow } from './flow.ts';

/** Types that write to topics which systems outside read. */
const asking: Readonly<Record<string, readonly Topic[]>> = {
  rescan: [topics.scanRequests],
  'run-job': [topics.jobRequests],
  tag: [topics.assetUpdates],
};

export const actionFlows: readonly PerformFlow[] = Object.values(actions).map(({ manifest }) => ({
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
    ...(asking[manifest.id] ?? []),
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
