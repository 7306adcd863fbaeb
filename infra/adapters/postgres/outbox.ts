// Publishes the outbox to the log: config records, versions of playbooks, the audit trail and events about records, in the order of their commits.
//
// Invariant: a row is marked only after the log acknowledged it, and the revisions of one key never go backwards on
// the topic. A crash between the two publishes the newest row of a key again, which changes nothing for a reader.
// Versions of playbooks are acknowledged before anything else of a batch is sent: who sees a revision finds its version.
// Surprise: of several waiting revisions of one document only the newest is sent. A compacted topic keeps no more, and
// a repeated batch could otherwise show an old revision after a new one.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogProducer, OutRecord } from '@tocsin/topologies/ports/log.ts';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import type { Pool, PoolClient } from 'pg';
import type { OutboxTopic } from './schema.ts';
import { asSoleOwner } from './sole-owner.ts';

export interface OutboxOptions {
  readonly pool: Pool;
  readonly producer: LogProducer;
  /** Topic names by the topic column. */
  readonly topics: Readonly<Record<OutboxTopic, string>>;
  readonly logger: Logger;
  /** Called after each batch, for metrics. */
  readonly onPublished?: (rows: number) => void;
  /** Time between looks when no notification comes, ms; default 1,000. */
  readonly pollMs?: number;
  /** Longest time that a send of a vanished publisher may still reach the log, ms; default 30,000. */
  readonly settleMs?: number;
}

export interface OutboxPublisher {
  /** Look now instead of at the next poll. */
  wake(): void;
  /** True while this process is the one that publishes. */
  readonly active: boolean;
  stop(): Promise<void>;
}

interface Row {
  seq: string;
  topic: OutboxTopic;
  key: string;
  value: string | null;
}

const lockId = 3_853_314_792;
const batchSize = 500;
/** Publishers of this process, stopped ones included. */
const owners = new Set<string>();
/** Published rows are kept this long for people who look for them. */
const keepFor = '7 days';

export function startOutbox(options: OutboxOptions): OutboxPublisher {
  const { pool, producer, logger, pollMs = 1_000, settleMs = 30_000 } = options;
  const me = `${hostname()} ${process.pid} ${randomUUID()}`;
  owners.add(me);
  const stopping = new AbortController();
  let nap = new AbortController();
  let active = false;
  // A wake during a batch counts for the pause after it.
  let woken = false;

  async function rest(ms: number): Promise<void> {
    if (woken) {
      woken = false;
      return;
    }
    nap = new AbortController();
    const signal = AbortSignal.any([nap.signal, stopping.signal]);
    await sleep(ms, undefined, { signal }).catch(() => undefined);
    woken = false;
  }

  async function publish(client: PoolClient): Promise<void> {
    try {
      await waitForPredecessor(client);
      active = true;
      let lastCleaning = 0;
      while (!stopping.signal.aborted) {
        const count = await publishBatch(client);
        if (Date.now() - lastCleaning > 3_600_000) {
          lastCleaning = Date.now();
          await client.query(
            `delete from outbox where published_at < clock_timestamp() - interval '${keepFor}'`,
          );
        }
        if (count < batchSize) await rest(pollMs);
      }
    } finally {
      active = false;
    }
  }

  async function waitForPredecessor(client: PoolClient): Promise<void> {
    const { rows } = await client.query<{ owner: string; age_ms: number | null }>(
      `select owner, (extract(epoch from clock_timestamp() - sending_since) * 1000)::float8 as age_ms from outbox_owner`,
    );
    const previous = rows[0];
    if (
      previous !== undefined &&
      previous.owner !== me &&
      !hasDied(previous.owner) &&
      previous.age_ms !== null &&
      previous.age_ms < settleMs
    ) {
      logger.info('waiting for the last send of another publisher', {
        ms: Math.ceil(settleMs - previous.age_ms),
      });
      const until = Date.now() + settleMs - previous.age_ms;
      while (Date.now() < until && !stopping.signal.aborted) await rest(until - Date.now());
    }
    await client.query(
      `insert into outbox_owner (owner, sending_since) values ($1, null)
       on conflict (one) do update set owner = excluded.owner, sending_since = null`,
      [me],
    );
  }

  async function publishBatch(client: PoolClient): Promise<number> {
    const { rows } = await client.query<Row>(
      'select seq, topic, key, value from outbox where published_at is null order by seq limit $1',
      [batchSize],
    );
    if (rows.length === 0 || stopping.signal.aborted) return 0;
    await client.query('update outbox_owner set sending_since = clock_timestamp() where owner = $1', [me]);
    const isVersion = ({ topic }: Row): boolean => topic === 'playbook-versions';
    for (const part of [rows.filter(isVersion), rows.filter((row) => !isVersion(row))])
      if (part.length > 0) await producer.send(newestPerKey(part, options.topics));
    await client.query('begin');
    await client.query('update outbox set published_at = clock_timestamp() where seq = any($1::bigint[])', [
      rows.map((row) => row.seq),
    ]);
    await client.query('update outbox_owner set sending_since = null where owner = $1', [me]);
    await client.query('commit');
    options.onPublished?.(rows.length);
    return rows.length;
  }

  const running = asSoleOwner({
    pool,
    lockId,
    work: publish,
    rest: (failures) => rest(failures === 0 ? pollMs : Math.min(5_000, 200 * 2 ** Math.min(failures, 5))),
    onFailure: ({ message }) => logger.warn('outbox cannot publish, trying again', { error: message }),
    signal: stopping.signal,
  });

  return {
    wake() {
      woken = true;
      nap.abort();
    },
    get active() {
      return active;
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

// A process that is gone sends nothing any more: no need to wait for it after a crash and restart on one machine.
function hasDied(owner: string): boolean {
  const [host, pid] = owner.split(' ');
  if (host !== hostname()) return false;
  // The same number and another owner: it was handed out again.
  if (Number(pid) === process.pid) return !owners.has(owner);
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as { code?: string }).code === 'ESRCH';
  }
}

/** Records in commit order; of several config rows of one key only the last, of others all. */
export function newestPerKey(rows: readonly Row[], topics: OutboxOptions['topics']): OutRecord[] {
  const last = new Map<string, string>();
  for (const row of rows) if (row.topic === 'config') last.set(row.key, row.seq);
  return rows
    .filter((row) => row.topic !== 'config' || last.get(row.key) === row.seq)
    .map((row) => ({ topic: topics[row.topic], key: row.key, value: row.value }));
}
