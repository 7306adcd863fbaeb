// Runs the evaluator: bytes in; commands, starts of runs, events and dead letters out; and only then the offset.
//
// Invariant: a batch completes after everything it called for was acknowledged by the log; a crash in between repeats
// the batch and produces the same commands with the same ids.

import {
  type Decoded,
  type DecodedValue,
  type DecodeOptions,
  decodeValue,
  type SchemaSource,
} from '@tocsin/schemas/codecs/decode.ts';
import type { JsonObject } from '@tocsin/schemas/codecs/json.ts';
import type { PlaybookVersion } from '@tocsin/schemas/types.ts';
import { unreadableRecord } from '../domain/dead-letter.ts';
import { type Redriven, redrivenIn } from '../domain/dead-letters/redriven.ts';
import { contextOf, type Decision, decide } from '../domain/evaluate/decide.ts';
import { versionsToStart } from '../domain/evaluate/playbook-heads.ts';
import { isPlain } from '../domain/evaluate/screen.ts';
import type { EvaluatorTables } from '../domain/evaluate/tables.ts';
import type { RuleRevision } from '../domain/rules/parse-rule.ts';
import type { Subject } from '../domain/rules/path.ts';
import type { Clock } from '../ports/clock.ts';
import type { Assignment, BatchHandler, OutRecord, RecordBatch } from '../ports/log.ts';
import type { Logger } from '../ports/logger.ts';
import type { MetricsPort } from '../ports/metrics.ts';
import { type Topic, topics } from '../topics.ts';
import { createDecisionRecords } from './decide-records.ts';
import type { MatchCheck } from './match-check.ts';
import type { Outbox } from './outbox.ts';

export interface DecideOptions {
  readonly service: string;
  /** Topics that are read, to know what kind of input a record is. */
  readonly inputs: readonly Topic[];
  /** The tables; a change of theirs counts from the next record on. */
  readonly tables: () => EvaluatorTables;
  readonly schemas: SchemaSource | null;
  readonly outbox: Outbox;
  /**
   * Publishes versions of playbooks made from files that are not published yet; starts that name them are sent when it has resolved.
   * Needed with such playbooks alone.
   */
  readonly publish?: (versions: readonly PlaybookVersion[]) => Promise<void>;
  readonly clock: Clock;
  readonly metrics: MetricsPort;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Asks a sample of events again; none without it. */
  readonly check?: MatchCheck;
}

/** Wait between two tries while the schema registry is down, ms. */
const registryRetryMs = 1_000;

/** Most headers of a record and most bytes of them; producers and tracing need a few hundred bytes. */
const maxHeaders = 1_000;
const maxHeaderBytes = 64 * 1024;

/** Rules that one batch does of the work on changed rules: well below a millisecond. */
const compactSteps = 20;

export function createDecider(options: DecideOptions): BatchHandler {
  const { service, outbox, clock, metrics, logger, signal } = options;
  const topicOf = new Map(options.inputs.map((topic) => [topic.name, topic]));

  const records = createDecisionRecords({ service, clock, metrics });

  const decodeOptions: DecodeOptions = {
    format: 'auto',
    ...(options.schemas === null ? {} : { schemas: options.schemas }),
  };

  // A registry that is down holds the partition: no dead letter. Null when the partition or the service is gone.
  async function settled(
    value: Buffer,
    how: DecodeOptions,
    first: Decoded | Promise<Decoded>,
    assignment: Assignment,
  ): Promise<Decoded | null> {
    for (let answer = first; ; answer = decodeValue(value, how)) {
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

  function judge(
    batch: RecordBatch,
    index: number,
    value: JsonObject,
    known: readonly RuleRevision[] | null,
    redriven: Redriven | null,
  ): Decision {
    const { topic } = batch;
    const place = { topic, partition: batch.partition, offset: batch.offset(index) };
    const input = {
      value,
      input: topicOf.get(topic)?.id ?? '',
      ...(redriven?.source.topic === topic ? redriven.source : place),
      timestamp: batch.timestamp(index),
      now: clock.now(),
    };
    return decide(input, options.tables(), known);
  }

  // Avro that a rule wants is decoded once more and whole, for what its actions get to see.
  function judgeParts(
    batch: RecordBatch,
    index: number,
    value: Buffer,
    parts: JsonObject,
    redriven: Redriven | null,
  ): Decision {
    const decision = judge(batch, index, parts, null, redriven);
    if (!decision.wanted) return decision;
    const whole = decodeValue(value, decodeOptions);
    if (whole instanceof Promise || !whole.ok)
      throw new Error('Avro that was read in parts cannot be read whole');
    return judge(batch, index, whole.value, null, redriven);
  }

  function checkAgain(
    check: MatchCheck,
    batch: RecordBatch,
    index: number,
    value: Buffer,
    known: readonly RuleRevision[] | 'nothing' | null,
  ): void {
    const decoded = decodeValue(value, decodeOptions);
    if (decoded instanceof Promise || !decoded.ok) return;
    const { ruleSet, lists } = options.tables();
    const context = contextOf({ timestamp: batch.timestamp(index), now: clock.now() }, { lists });
    const subject: Subject = { source: 'events', fields: decoded.value, search: null };
    const matched = known === 'nothing' ? [] : (known ?? ruleSet.match(subject, context));
    check.check(decoded.value, matched, context, `${batch.topic}/${batch.partition}/${batch.offset(index)}`);
  }

  // Most events are wanted by no rule; their bytes are enough to know it. 'nothing' is that nothing follows and nothing is to
  // be noted; null that the bytes do not tell.
  function screen(batch: RecordBatch, index: number): readonly RuleRevision[] | 'nothing' | null {
    const { ruleSet, lists } = options.tables();
    const timestamp = batch.timestamp(index);
    const context = contextOf({ timestamp, now: clock.now() }, { lists });
    const match = ruleSet.matchBytes(batch.buffer, batch.valueStart[index]!, batch.valueEnd[index]!, context);
    if (match.verdict !== 'ok') return null;
    return match.rules.length === 0 && isPlain(match.watched, timestamp) ? 'nothing' : match.rules;
  }

  return {
    async onUnreadable(range) {
      metrics.count('tocsin_dead_letters_total', { service, reason: 'unreadable' });
      await outbox.send([unreadableRecord(range, { stage: 'input', service, at: clock.now() })]);
    },
    async onBatch(batch, assignment) {
      const startedAt = clock.now();
      const out: OutRecord[] = [];
      const started = new Set<PlaybookVersion>();
      const outcomes = { tombstone: 0, 'dead-letter': 0, evaluated: 0, elsewhere: 0 };
      const refuse = (index: number, reason: Parameters<typeof records.letter>[2], detail: string): void => {
        outcomes['dead-letter'] += 1;
        out.push(records.letter(batch, index, reason, detail));
      };
      for (let index = 0; index < batch.count; index += 1) {
        const value = batch.value(index);
        if (value === null) {
          outcomes.tombstone += 1;
          continue;
        }
        const { count, bytes } = batch.headerSize(index);
        if (count > maxHeaders || bytes > maxHeaderBytes) {
          refuse(index, 'headers_limit', `${count} headers with ${bytes} bytes`);
          continue;
        }
        const redriven = redrivenIn(batch, index);
        if (redriven !== null && redriven.for !== service) {
          outcomes.elsewhere += 1;
          continue;
        }
        const isEvent = topicOf.get(batch.topic)?.id !== topics.searchResults.id;
        const isAvro = value[0] === 0;
        const known = isEvent && !isAvro ? screen(batch, index) : null;
        if (isEvent && options.check?.due() === true) checkAgain(options.check, batch, index, value, known);
        if (known === 'nothing') {
          outcomes.evaluated += 1;
          continue;
        }
        const how = isEvent && isAvro ? { ...decodeOptions, keep: options.tables().wanted } : decodeOptions;
        // JSON and known Avro schemas are there at once; awaiting them would cost a turn of the event loop per record.
        const first = decodeValue(value, how);
        const isHere = !(first instanceof Promise) && (first.ok || first.transient !== true);
        const result = isHere ? first : await settled(value, how, first, assignment);
        if (result === null) return;
        if (!result.ok) {
          refuse(index, result.reason, result.detail);
          continue;
        }
        const judged =
          how.keep === undefined
            ? judge(batch, index, result.value, known, redriven)
            : judgeParts(batch, index, value, result.value, redriven);
        const decision = withNotes(judged, result);
        outcomes[decision.refused.some((refusal) => refusal.deadLetter) ? 'dead-letter' : 'evaluated'] += 1;
        for (const record of records.of(decision, batch, index)) out.push(record);
        for (const { input } of decision.starts)
          for (const version of versionsToStart(input.playbook, options.tables().playbooks))
            started.add(version);
      }
      for (const [outcome, count] of Object.entries(outcomes))
        if (count > 0) metrics.count('tocsin_records_total', { service, topic: batch.topic, outcome }, count);
      try {
        if (started.size > 0) await options.publish?.([...started]);
        await outbox.send(out);
      } catch (error) {
        if (!signal.aborted) throw error;
        return;
      }
      assignment.complete(batch.count === 0 ? batch.nextOffset : batch.offset(0), batch.nextOffset);
      options.tables().ruleSet.compact(compactSteps);
      metrics.observe('tocsin_evaluate_seconds', (clock.now() - startedAt) / 1000);
    },
  };
}

function withNotes(decision: Decision, { bom, dropped }: DecodedValue): Decision {
  if (bom === undefined && dropped.length === 0) return decision;
  const notes = [...decision.notes];
  if (bom) notes.push({ reason: 'byte_order_mark' });
  if (dropped.length > 0) notes.push({ reason: 'forbidden_member' });
  return { ...decision, notes };
}
