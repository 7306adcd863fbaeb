// The decision of the evaluator: one input and the tables in; commands, starts of runs, and events for runs that wait out. Pure: the
// same input and tables give the same, byte for byte.
//
// Invariant: an input ends in what it called for, in refusals, or in nothing because nobody wanted it; it is never an exception.
import type { Command } from '@tocsin/schemas/types.ts';
import { topics } from '../../topics.ts';
import { maxHops } from '../action/hops.ts';
import type { MatchContext } from '../rules/context.ts';
import { isActionEntry, type RuleRevision } from '../rules/parse-rule.ts';
import type { Subject } from '../rules/path.ts';
import type { Collected } from './collect.ts';
import { type Correlation, correlationsOf, uncorrelated } from './correlate.ts';
import { namesEventTypes } from './engine-events.ts';
import { kindOfEntry, playbookOfEntry } from './entries.ts';
import { eventNotes } from './notes.ts';
import { planCommands, type RuleMatch } from './plan-commands.ts';
import { planStarts, type RunStart, type StartPlan } from './plan-starts.ts';
import { type Note, type Refusal, refusal } from './refusal.ts';
import type { EvaluatorTables } from './tables.ts';
import { type EvaluatorInput, readTrigger, type Trigger } from './trigger.ts';

export type { EvaluatorInput };
export { maxHops };

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
  /** Runs of playbooks: those of triggers by playbook, then those of rules in the order of `matched` and `then`; by row. */
  readonly starts: readonly RunStart[];
  /** The event for runs that wait for it. */
  readonly correlations: readonly Correlation[];
  readonly matched: readonly Matched[];
  readonly refused: readonly Refusal[];
  readonly notes: readonly Note[];
  /** Somebody wants the input: a rule, a trigger or a wait. Without it, more than they read of it changes nothing. */
  readonly wanted: boolean;
}

/** `known`: the rules that hold for the event, where a matcher over bytes has found them already. */
export function decide(
  input: EvaluatorInput,
  tables: EvaluatorTables,
  known: readonly RuleRevision[] | null = null,
): Decision {
  const trigger = readTrigger(input);
  if ('invalid' in trigger) return { ...noDecision, refused: [refusal('invalid_envelope', trigger.invalid)] };
  if (trigger.event?.test === true)
    return { ...noDecision, notes: [...trigger.notes, { reason: 'test_event' }] };
  const found = matchRules(trigger, tables, contextOf(input, tables), known).filter(
    ({ rule }) => input.input !== topics.events.id || namesEventTypes(rule.document),
  );
  const matches = found.filter(({ rule }) => kindOfEntry(rule) === 'rule');
  const triggered = found.filter(({ rule }) => kindOfEntry(rule) === 'trigger');
  const awaited = awaitedBy(trigger, tables);
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
    ...awaited.notes,
  ];
  const { correlations } = awaited;
  const wanted = found.length > 0 || correlations.length + awaited.refused.length > 0;
  if (trigger.hops > maxHops && acting.length + triggered.length > 0) {
    const names = [...acting, ...triggered].map(({ rule }) => rule.document.id).join(', ');
    const detail = `${trigger.hops - 1} actions lie behind this input, at most ${maxHops - 1} may; not run: ${names}`;
    const refused = [refusal('loop_detected', detail), ...awaited.refused];
    return { ...noDecision, correlations, matched, refused, notes, wanted };
  }
  const plans = acting.map((match) => planCommands(match, trigger, tables));
  const following = followersOf(trigger, tables, contextOf(input, tables), matches).map(
    (match) => planCommands(match, trigger, tables).collected,
  );
  const runs = [
    ...triggered.map((match) =>
      planStarts({ playbook: playbookOfEntry(match.rule), rule: null }, match, trigger, tables),
    ),
    ...acting.flatMap((match) => ruleStarts(match, trigger, tables)),
  ];
  return {
    commands: plans.flatMap(({ commands }) => commands),
    collected: [...plans.flatMap(({ collected }) => collected), ...following.flat()],
    starts: runs.flatMap(({ starts }) => starts),
    correlations,
    matched,
    refused: [...plans, ...runs, awaited].flatMap(({ refused }) => refused),
    notes: [...notes, ...runs.flatMap((run) => run.notes)],
    wanted,
  };
}

/** Of an input that nobody wants. */
export const noDecision: Decision = {
  commands: [],
  collected: [],
  starts: [],
  correlations: [],
  matched: [],
  refused: [],
  notes: [],
  wanted: false,
};

function ruleStarts(match: RuleMatch, trigger: Trigger, tables: EvaluatorTables): StartPlan[] {
  const { document: rule } = match.rule;
  return rule.then.flatMap((entry) =>
    isActionEntry(entry)
      ? []
      : planStarts({ playbook: entry.playbook, rule, with: entry.with }, match, trigger, tables),
  );
}

// Not asked of the matcher, whose answer about types is about their letters in any case.
function awaitedBy(
  { event, source }: Trigger,
  { waits }: EvaluatorTables,
): ReturnType<typeof correlationsOf> {
  const paths = event === null ? undefined : waits.get(event.event);
  return event === null || paths === undefined ? uncorrelated : correlationsOf(event, source.id, paths);
}

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
