// Everything is forwarded to the SIEM: one flow per sink type here, one group per configured sink at run time.
import { groups, sinkGroup } from '../groups.ts';
import { sinks } from '../sinks/registry.ts';
import { topics } from '../topics.ts';
import type { PerformFlow } from './flow.ts';

export const sinkFlows: readonly PerformFlow[] = Object.values(sinks).map(({ manifest }) => ({
  kind: 'perform',
  service: 'sinks',
  title: manifest.id,
  reads: [topics.findings, topics.searchResults, topics.events],
  tables: [topics.config],
  writes: [topics.deadLetters, topics.deliveries, topics.events],
  // Each configured sink has its own; a sink has one type.
  group: sinkGroup(`<id of ${manifest.id}>`),
  touches: [manifest.title],
}));

/** Tests and redeliveries that people ask for; any process of the sinks serves any sink. */
export const sinkRequestsFlow: PerformFlow = {
  kind: 'perform',
  service: 'sinks',
  title: 'tests and redeliveries',
  reads: [topics.sinkRequests],
  tables: [topics.config],
  writes: [topics.deliveries],
  group: groups.sinkRequests,
  touches: ['receivers of sinks'],
};
