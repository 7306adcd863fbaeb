// Runs through the evaluator and the collector without a log, for tests: search results in, what the collector calls for out.
import type { CollectionInput, Command, Rule, ThenAction } from '@tocsin/schemas/types.ts';
import type { OutRecord } from '../../ports/log.ts';
import { topics } from '../../topics.ts';
import { decide } from '../evaluate/decide.ts';
import { action, manifests, rule, run, searchInput } from '../evaluate/fixtures.ts';
import { buildTables, type EvaluatorTables } from '../evaluate/tables.ts';
import type { CollectionState } from './state.ts';
import { type CollectorStep, collect } from './step.ts';

export type Row = Record<string, unknown>;

/** Epoch ms of the first input. */
export const began = 1_777_377_600_000;

/** A rule for rows with `hit: true`, and a log action that it runs in the mode given. */
export function hitTables(
  then: Partial<ThenAction> = {},
  { revision = 3, more = {} }: { revision?: number; more?: Partial<Rule> } = {},
): EvaluatorTables {
  const document = rule('hits', [{ action: 'log', ...then }], {
    source: 'search-results',
    when: { hit: true },
    ...more,
  });
  const config = {
    rules: new Map([['hits', { document, revision }]]),
    actions: new Map([['log', { document: action('log'), revision: 7 }]]),
  };
  return buildTables(config, manifests);
}

/** The command that the evaluator makes of a run in one record. */
export function wholeCommand(rows: readonly Row[], tables: EvaluatorTables): Command | undefined {
  return decide(searchInput(run(rows)), tables).commands[0];
}

/** The input that the evaluator makes of one chunk; throws when there is none. */
export function inputOf(
  rows: readonly Row[],
  numbers: Record<string, unknown>,
  tables: EvaluatorTables,
  offset = 27,
): CollectionInput {
  const [collected] = decide(searchInput(run(rows, numbers), { offset }), tables).collected;
  if (collected === undefined) throw new Error('the evaluator gives nothing to the collector');
  return collected.chunk;
}

/** A collector of one key. Its clock stands still unless an input says otherwise. */
export function stageCollector(maxCommandBytes = 1_000_000) {
  let state: CollectionState | null = null;
  let offset = 0;
  const records: OutRecord[] = [];
  const timers = new Map<string, number>();

  function put(input: CollectionInput, now = began): CollectorStep['changes']['outcome'] {
    const moment = { now, partition: 1, offset: offset++, key: 'k' };
    const step = collect(state, input, moment, { topic: topics.collections.name, maxCommandBytes });
    for (const effect of step.effects) {
      if (effect.kind === 'produce') records.push(effect.record);
      else if (effect.kind === 'timer') timers.set(effect.token, effect.due);
      else timers.delete(effect.token);
    }
    // Through JSON, as the store keeps it.
    state = JSON.parse(JSON.stringify(step.state)) as CollectionState | null;
    return step.changes.outcome;
  }

  return {
    put,
    /** The next timer comes, at its time. */
    fire(): CollectorStep['changes']['outcome'] {
      const [token, due] = [...timers].sort(([, a], [, b]) => a - b)[0] ?? ['none', 0];
      timers.delete(token);
      return put({ kind: 'timer', token, due, fired_at: due }, due);
    },
    timers,
    records,
    get state() {
      return state;
    },
    commands: (): Command[] =>
      records
        .filter(({ topic }) => topic.startsWith('commands.'))
        .map(({ value }) => JSON.parse(String(value)) as Command),
    letters: () =>
      records
        .filter(({ topic }) => topic === topics.deadLetters.name)
        .map(({ headers, value }) => ({
          ...Object.fromEntries((headers ?? []).map(([name, text]) => [name, String(text)])),
          value: JSON.parse(String(value)) as unknown,
        })),
  };
}
