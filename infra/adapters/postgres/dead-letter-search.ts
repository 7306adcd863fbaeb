// Searches in dead letters: which there are, one with its original bytes, and how many by what.
import type { LetterCommand } from '@tocsin/topologies/domain/dead-letters/read-letter.ts';
import type { Header } from '@tocsin/topologies/ports/log.ts';
import { type SelectQueryBuilder, sql } from 'kysely';
import type { Database, Db, LetterState } from './schema.ts';

/** What to look for; everything that is given must hold. */
export interface LetterFilter {
  readonly id?: string;
  readonly state?: LetterState;
  readonly stage?: string;
  readonly reason?: string;
  readonly service?: string;
  /** Topic that the record came from. */
  readonly source?: string;
  /** Action type. */
  readonly type?: string;
  readonly action?: string;
  readonly rule?: string;
  readonly playbook?: string;
  readonly run?: string;
  readonly connection?: string;
  readonly command?: string;
  readonly tenant?: string;
  /** Of the request that queued it last. */
  readonly job?: string;
  readonly after?: Date;
  readonly before?: Date;
  /** Part of error, key, part or id; case does not matter. */
  readonly q?: string;
}

export interface LetterPosition {
  readonly at: Date;
  readonly id: string;
}

export type LetterRecord = Readonly<Record<string, unknown>> & {
  readonly id: string;
  readonly at: Date;
  readonly state: LetterState;
};

export interface LetterContents {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly Header[];
}

/** What letters are counted by. */
export const countedBy = {
  reason: 'reason',
  state: 'state',
  service: 'service',
  source: 'source_topic',
  type: 'type',
  action: 'action_id',
  rule: 'rule_id',
  connection: 'connection',
} as const satisfies Readonly<Record<string, keyof Database['dead_letters']>>;

export interface LetterCount {
  readonly name: string | null;
  readonly count: number;
  readonly oldest: Date;
  readonly newest: Date;
}

export interface DeadLetterSearch {
  /** Newest first. */
  list(
    filter: LetterFilter,
    page: { readonly before?: LetterPosition; readonly limit: number },
  ): Promise<LetterRecord[]>;
  get(id: string): Promise<LetterRecord | null>;
  /** Null when there are none, or none any more. */
  contents(id: string): Promise<LetterContents | null>;
  /** Most first, at most 1,000. */
  counts(filter: LetterFilter, by: keyof typeof countedBy): Promise<LetterCount[]>;
}

export function createDeadLetterSearch(db: Db): DeadLetterSearch {
  return {
    async list(filter, { before, limit }) {
      let query = matchingLetters(db.selectFrom('dead_letters'), filter).selectAll();
      if (before !== undefined) query = query.where(sql<boolean>`(at, id) < (${before.at}, ${before.id})`);
      const rows = await query.orderBy('at', 'desc').orderBy('id', 'desc').limit(limit).execute();
      return rows.map(shownLetter);
    },
    async get(id) {
      const row = await db.selectFrom('dead_letters').selectAll().where('id', '=', id).executeTakeFirst();
      return row === undefined ? null : shownLetter(row);
    },
    async contents(id) {
      const row = await db
        .selectFrom('dead_letter_contents')
        .selectAll()
        .where('id', '=', id)
        .executeTakeFirst();
      return row === undefined ? null : { key: row.key, value: row.value, headers: headersOf(row.headers) };
    },
    async counts(filter, by) {
      const column = countedBy[by];
      const rows = await matchingLetters(db.selectFrom('dead_letters'), filter)
        .select((one) => [
          one.ref(column).as('name'),
          one.fn.countAll<string>().as('count'),
          sql<Date>`min(at)`.as('oldest'),
          sql<Date>`max(at)`.as('newest'),
        ])
        .groupBy(column)
        .orderBy(sql`count(*)`, 'desc')
        .orderBy(column)
        .limit(1_000)
        .execute();
      return rows.map(({ name, count, oldest, newest }) => ({ name, count: Number(count), oldest, newest }));
    },
  };
}

/** As stored in dead_letter_contents. */
export function headersOf(stored: readonly (readonly [string, string])[]): Header[] {
  return stored.map(([name, content]) => [name, Buffer.from(content, 'base64')]);
}

type Row = { readonly [column in keyof Database['dead_letters']]: unknown } & {
  readonly id: string;
  readonly at: Date;
  readonly state: LetterState;
};

function shownLetter(row: Row): LetterRecord {
  const { letter_partition, letter_offset, source_topic, source_partition, source_offset, due, ...rest } =
    row;
  const { type, action_id, rule_id, connection, playbook, run, round, send_round: _, ...letter } = rest;
  const command: Partial<Record<keyof LetterCommand, unknown>> = {
    type,
    action: action_id,
    rule: rule_id,
    connection,
    playbook,
    run,
    round,
  };
  return {
    ...letter,
    bytes: Number(row.bytes),
    source:
      source_topic === null
        ? null
        : { topic: source_topic, partition: Number(source_partition), offset: Number(source_offset) },
    letter: { partition: letter_partition, offset: Number(letter_offset) },
    command: type === null ? null : command,
    due: row.state === 'queued' ? due : null,
  };
}

const columnOf = {
  id: 'id',
  state: 'state',
  stage: 'stage',
  reason: 'reason',
  service: 'service',
  source: 'source_topic',
  type: 'type',
  action: 'action_id',
  rule: 'rule_id',
  playbook: 'playbook',
  run: 'run',
  connection: 'connection',
  command: 'command_id',
  tenant: 'tenant',
  job: 'job',
} as const;

export function matchingLetters<O>(
  from: SelectQueryBuilder<Database, 'dead_letters', O>,
  filter: LetterFilter,
): SelectQueryBuilder<Database, 'dead_letters', O> {
  let query = from;
  for (const [name, column] of Object.entries(columnOf) as [keyof typeof columnOf, 'reason'][]) {
    const wanted = filter[name];
    if (wanted !== undefined) query = query.where(column, '=', wanted);
  }
  if (filter.after !== undefined) query = query.where('at', '>=', filter.after);
  if (filter.before !== undefined) query = query.where('at', '<', filter.before);
  if (filter.q !== undefined) {
    const pattern = `%${filter.q.replace(/[\\%_]/g, '\\$&')}%`;
    query = query.where(sql<boolean>`concat_ws(' ', id, error, key, part, command_id) ilike ${pattern}`);
  }
  return query;
}
