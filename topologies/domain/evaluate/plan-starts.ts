// The runs of one playbook that an input starts: by its own trigger, or because a rule says so.
//
// Invariant: every use of a playbook ends in starts or in refusals that say what is missing and how much.
import type { Rule, StartInput, ThenPlaybook } from '@tocsin/schemas/types.ts';
import { startKey, startView } from '../playbooks/start-key.ts';
import { resolveValue } from '../playbooks/values.ts';
import { TemplateError } from '../templates/parse.ts';
import type { Share } from './command.ts';
import { type RuleMatch, sharesOf } from './plan-commands.ts';
import { type Note, type Refusal, refusal } from './refusal.ts';
import type { EvaluatorTables } from './tables.ts';
import type { Trigger } from './trigger.ts';

/** One record for the topic of inputs of runs. */
export interface RunStart {
  /** Key of the run. */
  readonly key: string;
  readonly input: StartInput;
}

export interface StartPlan {
  readonly starts: readonly RunStart[];
  readonly refused: readonly Refusal[];
  readonly notes: readonly Note[];
}

/** `rule`: whose `then` names the playbook; null when it is the playbook's own trigger. */
export interface StartUse {
  readonly playbook: string;
  readonly rule: Rule | null;
  readonly with?: ThenPlaybook['with'];
}

/** Starts in the order of rows. */
export function planStarts(
  use: StartUse,
  match: RuleMatch,
  trigger: Trigger,
  tables: EvaluatorTables,
): StartPlan {
  const { playbook: id, rule } = use;
  const names = { playbook: id, ...(rule === null ? {} : { rule: rule.id }) };
  const who = rule === null ? `playbook ${id}` : `rule ${rule.id}, playbook ${id}`;
  const refuse = (reason: Refusal['reason'], detail: string, count?: number): Refusal =>
    refusal(reason, `${who}: ${detail}`, count === undefined ? names : { ...names, count });
  const nothing = (refused: Refusal): StartPlan => ({ starts: [], refused: [refused], notes: [] });

  const head = tables.playbooks.get(id);
  if (head === undefined)
    return nothing(refuse('unknown_playbook', 'the playbook does not exist or cannot be used'));
  if (head.document.enabled === false)
    return nothing(refuse('playbook_disabled', 'the playbook is switched off'));
  const shares = sharesOf(match, trigger, rule?.run === 'once' ? 'first' : 'each');
  if (shares === null) {
    const { chunk, chunks } = trigger.rows ?? { chunk: 0, chunks: 1 };
    const detail = `run: once needs the whole run; this is chunk ${chunk} of ${chunks}`;
    return nothing(refuse('needs_complete_run', detail, 1));
  }
  const max = tables.maxCommandsPerTrigger;
  const refused: Refusal[] = [];
  const notes: Note[] = [];
  const starts: RunStart[] = [];
  for (const share of shares.slice(0, max)) {
    const { event, sourceId } = subjectOf(share, trigger);
    let params: Record<string, unknown> | undefined;
    try {
      params = use.with && (resolveValue(use.with, [startView({ event })]) as Record<string, unknown>);
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      refused.push(refuse('playbook_params', error.message, 1));
      continue;
    }
    const { tenant } = trigger;
    const { key, missing } = startKey(head.document, { event, params, tenant, sourceId });
    if (missing.length > 0) notes.push({ reason: 'dedupe_value_missing' });
    const input: StartInput = {
      kind: 'start',
      playbook: id,
      revision: head.revision,
      ...(tenant === undefined ? {} : { tenant }),
      event,
      source: trigger.source,
      ...(params === undefined ? {} : { params }),
      // The run is one hop behind its event, as a command of a rule would be; whoever starts it adds that one.
      hops: trigger.hops - 1,
      by: rule === null ? 'trigger' : `rule:${rule.id}`,
    };
    starts.push({ key, input });
  }
  const left = shares.length - max;
  if (left > 0) {
    const detail = `${left} of ${shares.length} starts are over the limit of ${max}`;
    refused.push(refuse('fanout_limit', detail, left));
  }
  return { starts, refused, notes };
}

// A run is about one event; a row becomes one, so that `finding` is the row and `event.search` what was searched.
function subjectOf(
  { rowIndex, subject }: Share,
  { source, rows, tenant }: Trigger,
): { event: Record<string, unknown>; sourceId: string } {
  if (subject.event !== undefined) return { event: subject.event, sourceId: source.id };
  const sourceId = `${source.id}/${rowIndex}`;
  const search = rows?.search ?? {};
  const { started_at: startedAt } = search;
  const event = {
    id: sourceId,
    event: 'search-result',
    ...(typeof startedAt === 'string' ? { timestamp: startedAt } : {}),
    ...(tenant === undefined ? {} : { tenant }),
    data: subject.rows?.[0] ?? {},
    search,
  };
  return { event, sourceId };
}
