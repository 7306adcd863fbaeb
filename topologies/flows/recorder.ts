// Results of actions, changes of runs and dead letters become what people search.
import { groups } from '../groups.ts';
import { topics } from '../topics.ts';
import type { PerformFlow } from './flow.ts';

export const recorderFlow: PerformFlow = {
  kind: 'perform',
  service: 'recorder',
  title: 'history',
  reads: [topics.results],
  tables: [],
  writes: [topics.deadLetters],
  group: groups.recorder,
  touches: ['PostgreSQL'],
};

/** A group of its own: neither history waits for the other. */
export const runRecorderFlow: PerformFlow = {
  kind: 'perform',
  service: 'recorder',
  title: 'runs and approvals',
  reads: [topics.runEvents],
  tables: [],
  writes: [topics.deadLetters],
  group: groups.runRecorder,
  touches: ['PostgreSQL'],
};

/** Writes no dead letters: they would be its own input. */
export const letterRecorderFlow: PerformFlow = {
  kind: 'perform',
  service: 'recorder',
  title: 'dead letters',
  reads: [topics.deadLetters],
  tables: [],
  writes: [],
  group: groups.letterRecorder,
  touches: ['PostgreSQL'],
};

/** A group of its own, too: many deliveries do not delay the history of actions. */
export const deliveryRecorderFlow: PerformFlow = {
  kind: 'perform',
  service: 'recorder',
  title: 'deliveries',
  reads: [topics.deliveries],
  tables: [],
  writes: [topics.deadLetters],
  group: groups.deliveryRecorder,
  touches: ['PostgreSQL'],
};
