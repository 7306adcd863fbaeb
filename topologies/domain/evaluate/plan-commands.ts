// The commands that one matched rule calls for on one input.
//
// Invariant: every use of an action ends in commands or in refusals that say what is missing and how much.
// The surprise: `first` and `all` speak of the rows that match the rule, not of all rows of the run.
import type { Command, ThenAction } from '@tocsin/schemas/types.ts';
import { commandGrants } from '../action/grants.ts';
import { actionKeys, isActionEntry, type RuleRevision } from '../rules/parse-rule.ts';
import { type Collected, chunkProblem, collectChunk } from './collect.ts';
import { type CommandFrame, commandOf, type Share } from './command.ts';
import { incidentOf, type PlannedIncident } from './incident-link.ts';
import { type Mode, type ResolvedMode, resolveMode } from './mode.ts';
import { type Refusal, refusal } from './refusal.ts';
import type { EvaluatorTables } from './tables.ts';
import type { Trigger } from './trigger.ts';

export interface Plan {
  readonly commands: readonly Command[];
  readonly refused: readonly Refusal[];
  /** For the collector: this chunk, for actions that need the whole run. */
  readonly collected: readonly Collected[];
}

/**
 * A rule that matched: the event (rows null), or rows by their index in this input, ascending. No rows at all: the rule follows
 * the run that this chunk is part of, and matched nothing here.
 */
export interface RuleMatch {
  readonly rule: RuleRevision;
  readonly rows: readonly number[] | null;
}

/** Commands in the order of `then`, and within one action in the order of rows. */
export function planCommands(match: RuleMatch, trigger: Trigger, tables: EvaluatorTables): Plan {
  const commands: Command[] = [];
  const refused: Refusal[] = [];
  const collected: Collected[] = [];
  const { then } = match.rule.document;
  const keys = actionKeys(then);
  let incident: PlannedIncident | null = null;
  for (const [index, entry] of then.entries()) {
    if (!isActionEntry(entry)) continue;
    const key = keys[index] as string;
    const plan = planAction(entry, key, match, trigger, tables, incident);
    incident = incidentOf(plan, key, tables) ?? incident;
    commands.push(...plan.commands);
    refused.push(...plan.refused);
    collected.push(...plan.collected);
  }
  return { commands, refused, collected };
}

function planAction(
  entry: ThenAction,
  key: string,
  match: RuleMatch,
  trigger: Trigger,
  tables: EvaluatorTables,
  incident: PlannedIncident | null,
): Plan {
  const { document: rule } = match.rule;
  const names = { rule: rule.id, action: entry.action };
  const refuse = (reason: Refusal['reason'], detail: string, count?: number): Plan => ({
    commands: [],
    collected: [],
    refused: [
      refusal(
        reason,
        `rule ${rule.id}, action ${entry.action}: ${detail}`,
        count === undefined ? names : { ...names, count },
      ),
    ],
  });
  const action = tables.actions.get(entry.action);
  if (action === undefined) return refuse('unknown_action', 'the action does not exist');
  const manifest = tables.manifests.get(action.document.type);
  if (manifest === undefined)
    return refuse('unknown_action', `the type ${action.document.type} does not exist`);
  if (action.document.enabled === false) return refuse('action_disabled', 'the action is switched off');

  const params = { ...action.document.params, ...entry.with };
  const resolved = resolveMode({
    rule,
    entry,
    action: action.document,
    manifest,
    params,
    modeOf: tables.modeOf,
  });
  const frame: CommandFrame = {
    ...frameOf(resolved, { key, params, match, trigger, action }),
    ...(manifest.incident === 'follows' && incident !== null ? { incident } : {}),
    // The rule wants the action and the action says what is done: both are somebody's.
    ...(manifest.privileged === true ? commandGrants(manifest.id, match.rule.grants, action.grants) : {}),
  };
  const { rows } = trigger;
  if (rows !== null && match.rows !== null && rows.isPart && resolved.mode !== 'each') {
    const problem = chunkProblem(rows);
    if (problem !== null)
      return refuse('invalid_chunk', `mode ${resolved.mode} needs the whole run; ${problem}`);
    return { commands: [], refused: [], collected: [collectChunk(frame, rows, match.rows)] };
  }
  // null is for chunks, which were collected above.
  const shares = sharesOf(match, trigger, resolved.mode) ?? [];
  const max = tables.maxCommandsPerTrigger;
  const commands = shares.slice(0, max).map((share) => commandOf(frame, share));
  if (shares.length <= max) return { commands, refused: [], collected: [] };
  const left = shares.length - max;
  const { refused } = refuse(
    'fanout_limit',
    `${left} of ${shares.length} commands are over the limit of ${max}`,
    left,
  );
  return { commands, refused, collected: [] };
}

/** The shares of a mode; null when this chunk alone cannot tell. */
export function sharesOf(
  { rule, rows: matching }: RuleMatch,
  { event, rows }: Trigger,
  mode: Mode,
): Share[] | null {
  if (rows === null || matching === null)
    return [{ rowIndex: 0, subject: { event: event as Record<string, unknown> } }];
  const { search, base, chunk, chunks } = rows;
  const total = chunks === 1 ? { total_rows: rows.rows.length } : {};
  const subject = (indexes: readonly number[]): Command['subject'] => ({
    rows: indexes.map((index) => rows.rows[index] as Record<string, unknown>),
    ...total,
    search,
  });
  const single = (index: number): Share => ({ rowIndex: base + index, subject: subject([index]) });
  if (mode === 'each') return matching.map(single);
  if (mode === 'all') return chunks > 1 ? null : [{ rowIndex: 'all', subject: subject(matching) }];
  // first: in a later chunk of a run nobody here knows whether an earlier chunk had a match, unless every row matches.
  if (chunk === 0) return matching.slice(0, 1).map(single);
  return rule.document.match_all === true ? [] : null;
}

interface CommandParts {
  readonly key: string;
  readonly params: Command['params'];
  readonly match: RuleMatch;
  readonly trigger: Trigger;
  readonly action: NonNullable<ReturnType<EvaluatorTables['actions']['get']>>;
}

function frameOf(
  { mode, runOnce }: ResolvedMode,
  { key, params, match, trigger, action }: CommandParts,
): CommandFrame {
  const { document: rule, revision } = match.rule;
  const { document: config } = action;
  const { source, tenant } = trigger;
  return {
    v: 1,
    ...(tenant === undefined ? {} : { tenant }),
    type: config.type,
    trigger: 'rule',
    source,
    rule: { id: rule.id, ...(rule.name === undefined ? {} : { name: rule.name }), revision },
    action: {
      id: config.id,
      ...(config.name === undefined ? {} : { name: config.name }),
      key,
      revision: action.revision,
    },
    ...(config.connection === undefined ? {} : { connection: config.connection }),
    mode,
    ...(runOnce ? { run_once: true } : {}),
    params,
    ...(config.retry === undefined ? {} : { retry: config.retry }),
    ...(config.on_uncertain === undefined ? {} : { on_uncertain: config.on_uncertain }),
    hops: trigger.hops,
    created_at: trigger.createdAt,
  };
}
