// Sends the dead letters that were asked for back to where they came from, no faster than asked.
//
// Invariant: a letter is marked after the log acknowledged its record, and not before. A crash between the two sends it once more, with
// the same headers and in the same round: a command is answered by its ledger, and what fails again comes back as one letter.
// Surprise: what the log will never take goes back to `open` with the reason; it must not hold those behind it.
import { setTimeout as sleep } from 'node:timers/promises';
import { redriveRecord } from '@tocsin/topologies/domain/dead-letters/redrive.ts';
import { readPlace } from '@tocsin/topologies/domain/dead-letters/redriven.ts';
import { LogError, type LogProducer, type OutRecord } from '@tocsin/topologies/ports/log.ts';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import type { MetricsPort } from '@tocsin/topologies/ports/metrics.ts';
import type { Pool, PoolClient } from 'pg';
import { headersOf } from './dead-letter-search.ts';
import { asSoleOwner } from './sole-owner.ts';

export interface RedriveQueueOptions {
  readonly pool: Pool;
  readonly producer: Pick<LogProducer, 'send'>;
  readonly logger: Logger;
  readonly metrics: MetricsPort;
  /** Most letters in a second over all requests. */
  readonly perSecond: number;
  /** Time between looks, ms; default 500. */
  readonly pollMs?: number;
}

export interface RedriveQueue {
  stop(): Promise<void>;
}

interface Row {
  readonly id: string;
  readonly service: string;
  readonly source_topic: string;
  readonly source_partition: string;
  readonly source_offset: string;
  readonly first_source: string | null;
  readonly redrives: number;
  readonly sent: number;
  readonly send_round: number | null;
  readonly key: Buffer | null;
  readonly value: Buffer;
  readonly headers: readonly (readonly [string, string])[];
}

const lockId = 3_853_314_795;
/** Of one batch: their bytes are in memory together, and a crash repeats no more. */
const mostAtOnce = 50;

export function startRedriveQueue(options: RedriveQueueOptions): RedriveQueue {
  const { pool, producer, logger, metrics, perSecond, pollMs = 500 } = options;
  const stopping = new AbortController();
  const batchSize = Math.max(1, Math.min(mostAtOnce, perSecond));
  const rest = (ms: number): Promise<unknown> =>
    sleep(ms, undefined, { signal: stopping.signal }).catch(() => undefined);

  async function batch(client: PoolClient): Promise<number> {
    const { rows } = await client.query<Row>(
      `select d.id, service, source_topic, source_partition, source_offset, first_source, redrives, sent, send_round,
         c.key, c.value, c.headers
       from dead_letters d join dead_letter_contents c on c.id = d.id
       where state = 'queued' and due <= clock_timestamp() order by due, d.id limit $1`,
      [batchSize],
    );
    if (rows.length === 0 || stopping.signal.aborted) return 0;
    const refused = await send(rows);
    const sent = rows.filter(({ id }) => !refused.has(id));
    await client.query('begin');
    // Whoever took the request back a moment ago was too late: it says what happened.
    await client.query(
      `update dead_letters set state = case state when 'purged' then 'purged' else 'redriven' end,
         state_at = clock_timestamp(), sent = sent + 1, due = null
       where id = any($1::text[])`,
      [sent.map(({ id }) => id)],
    );
    for (const [id, error] of refused)
      await client.query(
        `update dead_letters set state = 'open', state_at = clock_timestamp(), due = null, send_error = $2
         where id = $1 and state = 'queued'`,
        [id, error.slice(0, 1_024)],
      );
    await client.query('commit');
    metrics.count('tocsin_dead_letters_redriven_total', { outcome: 'sent' }, sent.length);
    if (refused.size > 0)
      metrics.count('tocsin_dead_letters_redriven_total', { outcome: 'refused' }, refused.size);
    return rows.length;
  }

  /** What the log refuses for good, by id. Rejects when it takes nothing now. */
  async function send(rows: readonly Row[]): Promise<Map<string, string>> {
    const refused = new Map<string, string>();
    try {
      await producer.send(rows.map(recordOf));
    } catch (error) {
      if (!isFinal(error)) throw error;
      for (const row of rows)
        try {
          await producer.send([recordOf(row)]);
        } catch (refusal) {
          if (!isFinal(refusal)) throw refusal;
          refused.set(row.id, refusal.message);
        }
    }
    return refused;
  }

  const running = asSoleOwner({
    pool,
    lockId,
    async work(client) {
      while (!stopping.signal.aborted) {
        const count = await batch(client);
        await rest(count === 0 ? pollMs : (1_000 * count) / perSecond);
      }
    },
    rest: (failures) => rest(failures === 0 ? pollMs : 2_000),
    onFailure: ({ message }) => logger.warn('dead letters cannot be sent again now', { error: message }),
    signal: stopping.signal,
  });

  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

function recordOf(row: Row): OutRecord {
  const { id, service, key, value, redrives, sent, send_round: round } = row;
  return redriveRecord({
    id,
    service,
    key,
    value,
    round,
    redrives: redrives + sent,
    source: {
      topic: row.source_topic,
      partition: Number(row.source_partition),
      offset: Number(row.source_offset),
    },
    firstSource: row.first_source === null ? null : readPlace(row.first_source),
    headers: headersOf(row.headers),
  });
}

function isFinal(error: unknown): error is LogError {
  return error instanceof LogError && !error.retriable;
}
