// The decision of the evaluator: one input and the tables in, commands out. Pure: the same input and tables give the
// same commands, byte for byte.
//
// Invariant: an input ends in commands, in refusals, or in nothing because no rule wanted it; it is never an exception.
import type { Command } from '@tocsin/schemas/types.ts';
import { topics } from '../../topics.ts';
import { aliasPaths } from '../rules/parse-alias.ts';
import type { RuleRevision } from '../rules/parse-rule.ts';
import { elementsAt, type Subject } from '../rules/path.ts';
import { severityRank } from '../rules/severity.ts';
import { namesEventTypes } from './engine-events.ts';
import { planCommands, type RuleMatch } from './plan-commands.ts';
import { type Note, type Refusal, refusal } from './refusal.ts';
import type { EvaluatorTables } from './tables.ts';
import { type EvaluatorInput, readTrigger, type Trigger } from './trigger.ts';

export type { EvaluatorInput };

export interface Decision {
  /** By rule (priority, then id), then by the order of `then`, then by row. */
  readonly commands: readonly Command[];
  /** The rules that hold, with the number of rows they hold for; 1 for an event. */
  readonly matched: readonly { readonly rule: string; readonly revision: number; readonly rows: number }[];
  readonly refused: readonly Refusal[];
  readonly notes: readonly Note[];
}

/** Actions may lie between the first event and a command, at most so many. */
export const maxHops = 5;

export function decide(input: EvaluatorInput, tables: EvaluatorTables): Decision {
  const trigger = readTrigger(input);
  if ('invalid' in trigger) return { ...nothing, refused: [refusal('invalid_envelope', trigger.invalid)] };
  if (trigger.event?.test === true)
    return { ...nothing, notes: [...trigger.notes, { reason: 'test_event' }] };
  const matches = matchRules(trigger, tables).filter(
    ({ rule }) => input.input !== topics.events.id || namesEventTypes(rule.document),
  );
  const matched = matches.map(({ rule, rows }) => ({
    rule: rule.document.id,
    revision: rule.revision,
    rows: rows?.length ?? 1,
  }));
  const notes = [...trigger.notes, ...severityNotes(trigger)];
  if (trigger.hops > maxHops && matches.length > 0) {
    const rules = matched.map(({ rule }) => rule).join(', ');
    const detail = `${trigger.hops - 1} actions lie behind this input, at most ${maxHops - 1} may; not run: ${rules}`;
    return { commands: [], matched, refused: [refusal('loop_detected', detail)], notes };
  }
  const plans = matches.map((match) => planCommands(match, trigger, tables));
  return {
    commands: plans.flatMap(({ commands }) => commands),
    matched,
    refused: plans.flatMap(({ refused }) => refused),
    notes,
  };
}

const nothing: Decision = { commands: [], matched: [], refused: [], notes: [] };

function matchRules({ event, rows }: Trigger, { ruleSet }: EvaluatorTables): RuleMatch[] {
  if (event !== null) return ruleSet.match(eventSubject(event)).map((rule) => ({ rule, rows: null }));
  if (rows === null) return [];
  const rowsOf = new Map<RuleRevision, number[]>();
  for (const [index, fields] of rows.rows.entries()) {
    for (const rule of ruleSet.match({ source: 'search-results', fields, search: rows.search })) {
      const held = rowsOf.get(rule);
      if (held === undefined) rowsOf.set(rule, [index]);
      else held.push(index);
    }
  }
  return ruleSet.inOrder([...rowsOf.keys()]).map((rule) => ({ rule, rows: rowsOf.get(rule) as number[] }));
}

function eventSubject(event: NonNullable<Trigger['event']>): Subject {
  return { source: 'events', fields: event, search: null };
}

const severityPaths = aliasPaths('severity', 'events') ?? [];

function severityNotes({ event }: Trigger): Note[] {
  if (event === null) return [];
  const given = elementsAt(eventSubject(event), severityPaths)?.filter((element) => element !== null) ?? [];
  return given.some((element) => severityRank(element) === undefined) ? [{ reason: 'unknown_severity' }] : [];
}
