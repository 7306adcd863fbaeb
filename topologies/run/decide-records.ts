// What the evaluator writes about one record: commands with their events, starts of runs, events for runs that wait, and dead
// letters; and what it counts.
//
// Invariant: whatever a rule or a playbook called for is among the records or in a dead letter.
import type { DecodeReason } from '@tocsin/schemas/codecs/decode.ts';
import { actionEventRecord } from '../domain/action/results.ts';
import { letterOfRecord } from '../domain/dead-letter.ts';
import { collectedRecord, maxCollectedBytes } from '../domain/evaluate/collect.ts';
import { commandRecord } from '../domain/evaluate/command.ts';
import type { Decision } from '../domain/evaluate/decide.ts';
import type { RefusalReason } from '../domain/evaluate/refusal.ts';
import type { Clock } from '../ports/clock.ts';
import type { OutRecord, RecordBatch } from '../ports/log.ts';
import type { MetricsPort } from '../ports/metrics.ts';
import { topics } from '../topics.ts';

/** Largest command, bytes: below the broker's default message limit with room for key and headers. */
export const maxCommandBytes = 1_000_000;

/** Why an input is a dead letter although it can be read and the rules do not mind; one line each, for generated pages. */
export const inputReasons = {
  headers_limit: 'More than 1,000 headers, or more than 64 KiB of them.',
  command_too_large: 'A command for this input would be larger than a broker takes.',
  start_too_large: 'The start of a run for this input would be larger than a broker takes.',
  unreadable: 'The log has offsets that cannot be decoded; the letter names them and has no value.',
} as const;

type InputReason = keyof typeof inputReasons | DecodeReason | RefusalReason;

export interface DecisionRecords {
  /** The dead letter of an input record. */
  letter(batch: RecordBatch, index: number, reason: InputReason, error: string): OutRecord;
  /** Everything that one decision calls for. */
  of(decision: Decision, batch: RecordBatch, index: number): OutRecord[];
}

export function createDecisionRecords(options: {
  readonly service: string;
  readonly clock: Clock;
  readonly metrics: MetricsPort;
}): DecisionRecords {
  const { service, clock, metrics } = options;

  function letter(batch: RecordBatch, index: number, reason: InputReason, error: string): OutRecord {
    metrics.count('tocsin_dead_letters_total', { service, reason });
    return letterOfRecord(batch, index, {
      stage: 'input',
      reason,
      error,
      service,
      attempts: 1,
      at: clock.now(),
    });
  }

  function of(decision: Decision, batch: RecordBatch, index: number): OutRecord[] {
    const now = clock.now();
    const records: OutRecord[] = [];
    for (const { rule, shadow } of decision.matched)
      metrics.count(shadow ? 'tocsin_rule_shadow_matches_total' : 'tocsin_rule_matches_total', { rule });
    for (const command of decision.commands) {
      const record = commandRecord(command, batch.key(index));
      if (record.value.length > maxCommandBytes) {
        const detail = `action ${command.action.id} of rule ${command.rule?.id ?? ''}: the command has ${record.value.length} bytes`;
        records.push(letter(batch, index, 'command_too_large', detail));
        continue;
      }
      metrics.count('tocsin_commands_total', { type: command.type });
      records.push(record);
      records.push(actionEventRecord(command, 'action.triggered', now, {}));
    }
    for (const collected of decision.collected) {
      const record = collectedRecord(collected);
      const { action, rule } = collected.chunk.template;
      if (record.value.length > maxCollectedBytes) {
        const detail = `action ${action.id} of rule ${rule.id}: what it takes of the chunk has ${record.value.length} bytes`;
        records.push(letter(batch, index, 'command_too_large', detail));
      } else records.push(record);
    }
    for (const { key, input } of decision.starts) {
      const value = Buffer.from(JSON.stringify(input));
      if (value.length > maxCommandBytes) {
        const detail = `playbook ${input.playbook} by ${input.by}: the start has ${value.length} bytes`;
        records.push(letter(batch, index, 'start_too_large', detail));
        continue;
      }
      const by = input.by === 'trigger' ? 'trigger' : 'rule';
      metrics.count('tocsin_run_starts_total', { playbook: input.playbook, by });
      records.push({ topic: topics.runs.name, key, value });
    }
    for (const { key, input } of decision.correlations)
      records.push({ topic: topics.correlations.name, key, value: JSON.stringify(input) });
    if (decision.correlations.length > 0) metrics.count('tocsin_awaited_events_total');
    for (const { reason } of decision.notes) metrics.count('tocsin_notes_total', { reason });
    for (const refusal of decision.refused) {
      metrics.count('tocsin_refusals_total', { reason: refusal.reason });
      if (refusal.deadLetter) records.push(letter(batch, index, refusal.reason, refusal.detail));
    }
    return records;
  }

  return { letter, of };
}
