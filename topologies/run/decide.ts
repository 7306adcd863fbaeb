// Runs the evaluator: bytes in, commands, events and dead letters out, and only then the offset.
//
// Invariant: a batch completes after everything it called for was acknowledged by the log; a crash in between repeats
// the batch and produces the same commands with the same ids.

import {
  type Decoded,
  type DecodeOptions,
  decodeValue,
  type SchemaSource,
} from '@tocsin/schemas/codecs/decode.ts';
import type { Command } from '@tocsin/schemas/types.ts';
import { actionEventRecord } from '../domain/action/results.ts';
import { letterOfRecord, unreadableRecord } from '../domain/dead-letter.ts';
import { type Decision, decide } from '../domain/evaluate/decide.ts';
import type { EvaluatorTables } from '../domain/evaluate/tables.ts';
import type { Clock } from '../ports/clock.ts';
import type { Assignment, BatchHandler, OutRecord, RecordBatch } from '../ports/log.ts';
import type { Logger } from '../ports/logger.ts';
import type { MetricsPort } from '../ports/metrics.ts';
import { commandTopic, type Topic } from '../topics.ts';
import type { Outbox } from './outbox.ts';

export interface DecideOptions {
  readonly service: string;
  /** Topics that are read, to know what kind of input a record is. */
  readonly inputs: readonly Topic[];
  /** The tables of this moment; one set of tables judges a whole batch. */
  readonly tables: () => EvaluatorTables;
  readonly schemas: SchemaSource | null;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly metrics: MetricsPort;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Wait between two tries while the schema registry is down, ms. */
const registryRetryMs = 1_000;

/** Largest command, bytes: below the broker's default message limit with room for key and headers. */
export const maxCommandBytes = 1_000_000;

export function createDecider(options: DecideOptions): BatchHandler {
  const { service, outbox, clock, metrics, logger, signal } = options;
  const topicOf = new Map(options.inputs.map((topic) => [topic.name, topic]));

  function letter(batch: RecordBatch, index: number, reason: string, error: string): OutRecord {
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

  const count = (batch: RecordBatch, outcome: string): void =>
    metrics.count('tocsin_records_total', { service, topic: batch.topic, outcome });

  const decodeOptions: DecodeOptions = {
    format: 'auto',
    ...(options.schemas === null ? {} : { schemas: options.schemas }),
  };

  // A registry that is down holds the partition: no dead letter. Null when the partition or the service is gone.
  async function settled(
    value: Buffer,
    first: Decoded | Promise<Decoded>,
    assignment: Assignment,
  ): Promise<Decoded | null> {
    for (let answer = first; ; answer = decodeValue(value, decodeOptions)) {
      const result = await answer;
      if (result.ok || result.transient !== true) return result;
      logger.warn('schema registry not available, waiting', { detail: result.detail });
      try {
        await clock.sleep(registryRetryMs, AbortSignal.any([assignment.signal, signal]));
      } catch {
        return null;
      }
    }
  }

  function recordsOf(decision: Decision, batch: RecordBatch, index: number): OutRecord[] {
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
    for (const note of decision.notes) metrics.count('tocsin_notes_total', { reason: note.reason });
    for (const refusal of decision.refused) {
      metrics.count('tocsin_refusals_total', { reason: refusal.reason });
      if (refusal.deadLetter) records.push(letter(batch, index, refusal.reason, refusal.detail));
    }
    return records;
  }

  function judge(batch: RecordBatch, index: number, result: Decoded): OutRecord[] {
    const topic = topicOf.get(batch.topic);
    if (!result.ok) {
      count(batch, 'dead-letter');
      return [letter(batch, index, result.reason, result.detail)];
    }
    const decision = decide(
      {
        value: result.value,
        input: topic?.id ?? '',
        topic: batch.topic,
        partition: batch.partition,
        offset: batch.offset(index),
        timestamp: batch.timestamp(index),
        now: clock.now(),
      },
      options.tables(),
    );
    count(batch, decision.refused.some((refusal) => refusal.deadLetter) ? 'dead-letter' : 'evaluated');
    return recordsOf(decision, batch, index);
  }

  return {
    async onUnreadable(range) {
      metrics.count('tocsin_dead_letters_total', { service, reason: 'unreadable' });
      await outbox.send([unreadableRecord(range, { stage: 'input', service, at: clock.now() })]);
    },
    async onBatch(batch, assignment) {
      const startedAt = clock.now();
      const records: OutRecord[] = [];
      for (let index = 0; index < batch.count; index += 1) {
        const value = batch.value(index);
        if (value === null) {
          count(batch, 'tombstone');
          continue;
        }
        // JSON and known Avro schemas are there at once; awaiting them would cost a turn of the event loop per record.
        const first = decodeValue(value, decodeOptions);
        const known = !(first instanceof Promise) && (first.ok || first.transient !== true);
        const result = known ? first : await settled(value, first, assignment);
        if (result === null) return;
        for (const record of judge(batch, index, result)) records.push(record);
      }
      try {
        await outbox.send(records);
      } catch (error) {
        if (!signal.aborted) throw error;
        return;
      }
      assignment.complete(batch.count === 0 ? batch.nextOffset : batch.offset(0), batch.nextOffset);
      metrics.observe('tocsin_evaluate_seconds', (clock.now() - startedAt) / 1000);
    },
  };
}

// Commands keep the key of what caused them, so that one asset's commands of a type stay in order.
function commandRecord(command: Command, key: Buffer | null): OutRecord & { readonly value: Buffer } {
  return {
    topic: commandTopic(command.type).name,
    key: key ?? command.source.id,
    value: Buffer.from(JSON.stringify(command)),
  };
}
