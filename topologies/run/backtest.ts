// Replays a range of the log to see what a candidate rule would have matched, beside the rule in force.
//
// Invariant: a backtest has no effect. It is given a log that can only be read, without a group; nothing it imports can
// write a record or carry an action out, and what it returns is a report.
//
// Surprise: the range is one of record times, [from, to), and each record is asked for its own: producers set times, so
// a partition is read from its first record that is not older than `from` to its end, however early `to` is.
import { type Decoded, decodeValue, type SchemaSource } from '@tocsin/schemas/codecs/decode.ts';
import { namesEventTypes } from '../domain/evaluate/engine-events.ts';
import { readTrigger, type Trigger } from '../domain/evaluate/trigger.ts';
import { compileRules } from '../domain/rules/compile.ts';
import type { NamedList } from '../domain/rules/context.ts';
import type { RuleRevision } from '../domain/rules/parse-rule.ts';
import type { Subject } from '../domain/rules/path.ts';
import type { RecordBatch, TableReader, TableReaderOptions } from '../ports/log.ts';
import { type Topic, topics } from '../topics.ts';
import { createTally, type Tally, type TallyReport } from './backtest-tally.ts';

/** The log as a replay sees it: there is no way to write, and none to join a group. */
export interface ReplayLog {
  table(options: TableReaderOptions): TableReader;
  offsetsAt(topic: string, timestamp: number): Promise<Map<number, number>>;
}

export interface BacktestOptions {
  readonly log: ReplayLog;
  readonly topics: readonly Topic[];
  /** Epoch ms; records whose time is in [from, to) count. */
  readonly from: number;
  readonly to: number;
  readonly candidate: RuleRevision;
  /** Null compares with nothing: everything the candidate matches is new. */
  readonly live: RuleRevision | null;
  /** Named lists as they are now; of the past nobody knows. `now` of a rule is the time of each record. */
  readonly lists: ReadonlyMap<string, NamedList>;
  /** Null refuses framed Avro as undecodable. */
  readonly schemas: SchemaSource | null;
  /** Samples per side of the difference; default 5. */
  readonly samples?: number;
}

export interface BacktestReport extends TallyReport {
  /** Records in the range, tombstones included. */
  readonly records: number;
  /** Events and rows that both rules were asked about. */
  readonly subjects: number;
  /** Records in the range that the evaluator would not evaluate, by reason. */
  readonly notEvaluated: ReadonlyMap<string, number>;
}

/**
 * Reads the range of every topic once, one topic after the other. Rejects with LogError when the log cannot be read (a
 * record that cannot be decompressed included), with an Error when the schema registry is away.
 */
export async function backtest(options: BacktestOptions): Promise<BacktestReport> {
  const { log, from, to } = options;
  const tally = createTally(options.samples ?? 5);
  const counts = { records: 0, subjects: 0 };
  const notEvaluated = new Map<string, number>();
  const skip = (reason: string): void => void notEvaluated.set(reason, (notEvaluated.get(reason) ?? 0) + 1);
  const candidate = compileRules([options.candidate]);
  const live = compileRules(options.live === null ? [] : [options.live]);
  const decodeOptions = {
    format: 'auto' as const,
    ...(options.schemas === null ? {} : { schemas: options.schemas }),
  };

  function judge(topic: Topic, batch: RecordBatch, index: number, decoded: Decoded): void {
    if (!decoded.ok) {
      // A difference over the readable part alone would look complete.
      if (decoded.transient === true) throw new Error(`schema registry: ${decoded.detail}`);
      skip(decoded.reason);
      return;
    }
    const timestamp = batch.timestamp(index);
    const place = { topic: batch.topic, partition: batch.partition, offset: batch.offset(index), timestamp };
    const trigger = readTrigger({ ...place, value: decoded.value, input: topic.id, now: timestamp });
    if ('invalid' in trigger || trigger.event?.test === true) {
      skip('invalid' in trigger ? 'invalid_envelope' : 'test_event');
      return;
    }
    const asked = (rule: RuleRevision | null): boolean =>
      rule !== null && (topic.id !== topics.events.id || namesEventTypes(rule.document));
    for (const [row, subject] of subjectsOf(trigger).entries()) {
      counts.subjects += 1;
      const context = { now: timestamp, lists: options.lists };
      const byCandidate = asked(options.candidate) && candidate.match(subject, context).length > 0;
      const byLive = asked(options.live) && live.match(subject, context).length > 0;
      if (byCandidate || byLive) tally.add(byCandidate, byLive, sampleOf(place, trigger, row));
    }
  }

  for (const topic of options.topics) {
    const waiting: Promise<void>[] = [];
    const failure = Promise.withResolvers<never>();
    failure.promise.catch(() => undefined);
    const table = log.table({
      topic: topic.name,
      from: await log.offsetsAt(topic.name, from),
      onFailure: failure.reject,
      onBatch(batch) {
        for (let index = 0; index < batch.count; index += 1) {
          const timestamp = batch.timestamp(index);
          if (timestamp < from || timestamp >= to) continue;
          counts.records += 1;
          const value = batch.value(index);
          if (value === null) {
            skip('tombstone');
            continue;
          }
          const decoded = decodeValue(value, decodeOptions);
          if (!(decoded instanceof Promise)) judge(topic, batch, index, decoded);
          else waiting.push(decoded.then((answer) => judge(topic, batch, index, answer)));
          waiting.at(-1)?.catch(failure.reject);
        }
      },
    });
    try {
      await Promise.race([table.start(), failure.promise]);
    } finally {
      await table.stop();
    }
    await Promise.all(waiting);
  }
  return { ...counts, notEvaluated, ...tally.report() };
}

function subjectsOf({ event, rows }: Trigger): Subject[] {
  if (event !== null) return [{ source: 'events', fields: event, search: null }];
  if (rows === null) return [];
  return rows.rows.map((fields) => ({ source: 'search-results', fields, search: rows.search }));
}

type Place = { topic: string; partition: number; offset: number; timestamp: number };

function sampleOf(place: Place, { source, rows }: Trigger, row: number): Parameters<Tally['add']>[2] {
  return {
    ...place,
    id: source.id,
    type: source.event ?? `search ${String(rows?.search['job_id'])}`,
    ...(rows === null ? {} : { row: rows.base + row }),
  };
}
