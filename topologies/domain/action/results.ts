// Records that follow an attempt: the result for results.v1 and the engine's event for events.v1.
import type { Command, EventEnvelope, Result } from '@tocsin/schemas/types.ts';
import type { OutRecord } from '../../ports/log.ts';
import { topics } from '../../topics.ts';
import { keptOutput, storedOutputBytes } from './kept-output.ts';
import type { Outcome } from './outcome.ts';

export interface Attempt {
  readonly attempt: number;
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly possibleDuplicate: boolean;
}

type Status = Result['status'];

/** One attempt as a result document. `nextAttemptAt` (epoch ms) goes with status retrying. */
export function resultOf(
  command: Command,
  status: Status,
  outcome: Outcome,
  attempt: Attempt & { readonly nextAttemptAt?: number },
): Result {
  const rows = command.subject.rows?.length ?? 1;
  const skipped = command.mode === 'first' ? (command.subject.total_rows ?? rows) - rows : 0;
  return {
    v: 1,
    command_id: command.command_id,
    ...(command.tenant === undefined ? {} : { tenant: command.tenant }),
    type: command.type,
    status,
    final: status !== 'retrying',
    attempt: attempt.attempt,
    trigger: command.trigger,
    source: { ...command.source },
    ...(command.rule === undefined ? {} : { rule: { ...command.rule } }),
    action: { ...command.action },
    ...(command.connection === undefined ? {} : { connection: command.connection }),
    mode: command.mode,
    row_index: command.row_index,
    rows,
    ...(skipped > 0 ? { skipped_rows: skipped } : {}),
    ...outcomeFields(outcome),
    ...(attempt.possibleDuplicate ? { possible_duplicate: true } : {}),
    ...(attempt.nextAttemptAt === undefined ? {} : { next_attempt_at: attempt.nextAttemptAt }),
    started_at: attempt.startedAt,
    finished_at: attempt.finishedAt,
    created_at: command.created_at,
  };
}

function outcomeFields(outcome: Outcome): Partial<Result> {
  if (outcome.status === 'done')
    return {
      ...(outcome.ref === undefined ? {} : { ref: outcome.ref }),
      ...(outcome.output === undefined
        ? {}
        : { output: keptOutput(outcome.output, storedOutputBytes) as NonNullable<Result['output']> }),
      ...(outcome.warnings === undefined || outcome.warnings.length === 0
        ? {}
        : { warnings: [...outcome.warnings] }),
    };
  return {
    code: outcome.code,
    detail: outcome.detail.slice(0, 1024),
    ...(outcome.output === undefined ? {} : { output: outcome.output as NonNullable<Result['output']> }),
    ...(outcome.status_code === undefined ? {} : { status_code: outcome.status_code }),
  };
}

/** The result as a record; results of one command share a partition. */
export function resultRecord(result: Result): OutRecord {
  return { topic: topics.results.name, key: result.command_id, value: JSON.stringify(result) };
}

export type ActionEvent = 'action.triggered' | 'action.completed' | 'action.failed';

/** The engine's own event about a command. Its id is derived from the command, so a repeat carries the same one. */
export function actionEventRecord(
  command: Command,
  event: ActionEvent,
  at: number,
  facts: Record<string, unknown>,
): OutRecord {
  const envelope: EventEnvelope = {
    id: `${command.command_id}.${event.slice('action.'.length)}`,
    event,
    timestamp: new Date(at).toISOString(),
    ...(command.tenant === undefined ? {} : { tenant: command.tenant }),
    hops: command.hops,
    data: {
      execution_id: command.command_id,
      action_id: command.action.id,
      type: command.type,
      ...(command.rule === undefined ? {} : { rule_id: command.rule.id }),
      source_id: command.source.id,
      ...facts,
    },
  };
  return { topic: topics.events.name, key: command.source.id, value: JSON.stringify(envelope) };
}
