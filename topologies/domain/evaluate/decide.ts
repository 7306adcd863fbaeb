// The decision of the evaluator: one input and the tables in, commands out. Pure: the same input and tables give the
// same commands, byte for byte.
//
// Invariant: an input ends in commands, in refusals, or in nothing because no rule wanted it; it is never an exception.
import type { Command } from '@tocsin/schemas/types.ts';
import { topics } from '../../topics.ts';
import type { MatchContext } from '../rules/context.ts';
import type { RuleRevision } from '../rules/parse-rule.ts';
import type { Subject } from '../rules/path.ts';
import type { Collected } from './collect.ts';
import { namesEventTypes } from './engine-events.ts';
import { eventNotes } from './notes.ts';
import { planCommands, type RuleMatch } from './plan-commands.ts';
import { type Note, type Refusal, refusal } from './refusal.ts';
import type { EvaluatorTables } from './tables.ts';
import { type EvaluatorInput, readTrigger, type Trigger } from './trigger.ts';

export type { EvaluatorInput };

/** A rule that holds. */
export interface Matched {
  readonly rule: string;
  readonly revision: number;
  /** Rows it holds for; 1 for an event. */
  readonly rows: number;
  /** The rule is on trial: counted, and nothing else follows. */
  readonly shadow?: true;
}

export interface Decision {
  /** By rule (priority, then id), then by the order of `then`, then by row. */
  readonly commands: readonly Command[];
  /** For the collector: what this chunk gives to commands over the whole run. */
  readonly collected: readonly Collected[];
  readonly matched: readonly Matched[];
  readonly refused: readonly Refusal[];
  readonly notes: readonly Note[];
}

/** Actions may lie between the first event and a command, at most so many. */
export const maxHops = 5;

/** `known`: the rules that hold for the event, where a matcher over bytes has found them already. */
export function decide(
  input: EvaluatorInput,
  tables: EvaluatorTables,
  known: readonly RuleRevision[] | null = null,
): Decision {
  const trigger = readTrigger(input);
  if ('invalid' in trigger) return { ...nothing, refused: [refusal('invalid_envelope', trigger.invalid)] };
  if (trigger.event?.test === true)
    return { ...nothing, notes: [...trigger.notes, { reason: 'test_event' }] };
  const matches = matchRules(trigger, tables, contextOf(input, tables), known).filter(
    ({ rule }) => input.input !== topics.events.id || namesEventTypes(rule.document),
  );
  const matched = matches.map(({ rule, rows }) => ({
    rule: rule.document.id,
    revision: rule.revision,
    rows: rows?.length ?? 1,
    ...(rule.document.shadow === true ? { shadow: true as const } : {}),
  }));
  const acting = matches.filter(({ rule }) => rule.document.shadow !== true);
  const notes = [
    ...trigger.notes,
    ...(trigger.event === null ? [] : eventNotes(trigger.event, input.timestamp)),
  ];
  if (trigger.hops > maxHops && acting.length > 0) {
    const rules = acting.map(({ rule }) => rule.document.id).join(', ');
    const detail = `${trigger.hops - 1} actions lie behind this input, at most ${maxHops - 1} may; not run: ${rules}`;
    return { ...nothing, matched, refused: [refusal('loop_detected', detail)], notes };
  }
  const plans = acting.map((match) => planCommands(match, trigger, tables));
  const following = followersOf(trigger, tables, contextOf(input, tables), matches).map(
    (match) => planCommands(match, trigger, tables).collected,
  );
  return {
    commands: plans.flatMap(({ commands }) => commands),
    collected: [...plans.flatMap(({ collected }) => collected), ...following.flat()],
    matched,
    refused: plans.flatMap(({ refused }) => refused),
    notes,
  };
}

const nothing: Decision = { commands: [], collected: [], matched: [], refused: [], notes: [] };

/** The moment of the record, not of the decision, so that judging it again gives the same answer. */
export function contextOf(
  { timestamp, now }: Pick<EvaluatorInput, 'timestamp' | 'now'>,
  { lists }: Pick<EvaluatorTables, 'lists'>,
): MatchContext {
  return { now: timestamp >= 0 ? timestamp : now, lists };
}

function matchRules(
  { event, rows }: Trigger,
  { ruleSet }: EvaluatorTables,
  context: MatchContext,
  known: readonly RuleRevision[] | null,
): RuleMatch[] {
  if (event !== null)
    return (known ?? ruleSet.match(eventSubject(event), context)).map((rule) => ({ rule, rows: null }));
  if (rows === null) return [];
  const rowsOf = new Map<RuleRevision, number[]>();
  for (const [index, fields] of rows.rows.entries()) {
    const subject: Subject = { source: 'search-results', fields, search: rows.search };
    for (const rule of ruleSet.match(subject, context)) {
      const held = rowsOf.get(rule);
      if (held === undefined) rowsOf.set(rule, [index]);
      else held.push(index);
    }
  }
  return ruleSet.inOrder([...rowsOf.keys()]).map((rule) => ({ rule, rows: rowsOf.get(rule) as number[] }));
}

/** The rules that match no row of this chunk and may match rows of others: what they collect must know that it came. */
function followersOf(
  { rows, hops }: Trigger,
  { rowRules, ruleSet }: EvaluatorTables,
  context: MatchContext,
  matches: readonly RuleMatch[],
): RuleMatch[] {
  if (rows === null || !rows.isPart || hops > maxHops) return [];
  const { job_id, run_id, tenant } = rows.search;
  const search = { job_id, run_id, ...(tenant === undefined ? {} : { tenant }) };
  const subject: Subject = { source: 'search-results', fields: {}, search };
  const matched = new Set(matches.map(({ rule }) => rule.document.id));
  const rules = [...rowRules.values()].flatMap(({ rule, mayFollow }) => {
    const isOn = rule.document.shadow !== true && !matched.has(rule.document.id);
    return isOn && mayFollow(subject, context) ? [rule] : [];
  });
  return ruleSet.inOrder(rules).map((rule) => ({ rule, rows: [] }));
}

function eventSubject(event: NonNullable<Trigger['event']>): Subject {
  return { source: 'events', fields: event, search: null };
}
