// What people do with dead letters: send them again, or purge them. Both inside the transaction of their audit row.
//
// Invariant: a letter is queued to be sent, and redrive-queue.ts sends it; nothing here touches the log. Of several letters of one command
// only that of its last round is sent: the command has failed again since the others were written.
import {
  type DuplicateReason,
  duplicateReason,
  type RedriveCandidate,
  type RedriveObstacle,
  redriveObstacle,
} from '@tocsin/topologies/domain/dead-letters/redrive.ts';
import { sql } from 'kysely';
import { type LetterFilter, matchingLetters } from './dead-letter-search.ts';
import type { Db, LetterState, Transaction } from './schema.ts';

export type Obstacle = RedriveObstacle | 'superseded' | 'state' | DuplicateReason;

/** Letters by what would become of them. */
export interface Sorted {
  /** That the filter finds, beyond the limit too. */
  readonly matching: number;
  readonly ids: readonly string[];
  readonly refused: readonly { readonly id: string; readonly because: Obstacle }[];
}

export interface Selection {
  readonly filter: LetterFilter;
  readonly limit: number;
}

export interface RedriveRules {
  readonly acceptDuplicate: boolean;
  /** Epoch ms. */
  readonly now: number;
  /** States that may be sent. */
  readonly states: readonly LetterState[];
}

interface Candidate extends RedriveCandidate {
  readonly id: string;
  readonly state: LetterState;
  readonly commandId: string | null;
  readonly round: number | null;
  /** Highest round of any letter of the command. */
  readonly lastRound: number | null;
}

/** Which letters of a selection can be sent, oldest first. */
export async function sortForRedrive(
  db: Db | Transaction,
  { filter, limit }: Selection,
  rules: RedriveRules,
): Promise<Sorted> {
  const matching = await countMatching(db, filter);
  const candidates = await candidatesOf(db, filter, limit);
  const ids: string[] = [];
  const refused: { id: string; because: Obstacle }[] = [];
  const taken = new Set<string>();
  for (const candidate of candidates) {
    const because = obstacleOf(candidate, rules, taken);
    if (because !== null) refused.push({ id: candidate.id, because });
    else {
      ids.push(candidate.id);
      if (candidate.commandId !== null) taken.add(candidate.commandId);
    }
  }
  return { matching, ids, refused };
}

function obstacleOf(candidate: Candidate, rules: RedriveRules, taken: ReadonlySet<string>): Obstacle | null {
  if (!rules.states.includes(candidate.state)) return 'state';
  const obstacle = redriveObstacle(candidate);
  if (obstacle !== null) return obstacle;
  const { commandId, round, lastRound } = candidate;
  if (commandId !== null && round !== null && (round < (lastRound ?? 0) || taken.has(commandId)))
    return 'superseded';
  return rules.acceptDuplicate ? null : duplicateReason(candidate, rules.now);
}

/** `perSecond`: how many become due in a second. Returns how many were queued. */
export async function queueLetters(
  transaction: Transaction,
  ids: readonly string[],
  by: { readonly actor: string; readonly job: string; readonly perSecond: number },
): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    update dead_letters d set
      state = 'queued', state_by = ${by.actor}, state_at = clock_timestamp(), job = ${by.job}, send_error = null,
      due = clock_timestamp() + make_interval(secs => (given.n - 1) / ${by.perSecond}::float8),
      send_round = case when d.round is null then null else 1 + (
        select max(greatest(o.round, o.send_round)) from dead_letters o
        where o.command_id = d.command_id and o.type = d.type) end
    from unnest(${ids}::text[]) with ordinality as given (id, n)
    where d.id = given.id and d.state in ('open', 'redriven')`.execute(transaction);
  return Number(numAffectedRows);
}

/** Takes back what a request queued and what was not sent yet; returns how many. */
export async function cancelJob(transaction: Transaction, job: string, actor: string): Promise<number> {
  const { numUpdatedRows } = await transaction
    .updateTable('dead_letters')
    .set({ state: 'open', state_by: actor, state_at: sql<Date>`clock_timestamp()`, due: null })
    .where('job', '=', job)
    .where('state', '=', 'queued')
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

/** Letters of a selection that can be purged: those that wait to be sent cannot. Oldest first. */
export async function sortForPurge(db: Db | Transaction, { filter, limit }: Selection): Promise<Sorted> {
  const found = await matchingLetters(db.selectFrom('dead_letters'), filter)
    .select(['id', 'state'])
    .orderBy('at')
    .orderBy('id')
    .limit(limit)
    .execute();
  const purgeable = (state: LetterState): boolean => state === 'open' || state === 'redriven';
  return {
    matching: await countMatching(db, filter),
    ids: found.filter(({ state }) => purgeable(state)).map(({ id }) => id),
    refused: found
      .filter(({ state }) => !purgeable(state))
      .map(({ id }) => ({ id, because: 'state' as const })),
  };
}

/** The bytes are deleted; what is known of the letter stays. Returns how many. */
export async function purgeLetters(
  transaction: Transaction,
  ids: readonly string[],
  actor: string,
): Promise<number> {
  const purged = await transaction
    .updateTable('dead_letters')
    .set({ state: 'purged', state_by: actor, state_at: sql<Date>`clock_timestamp()` })
    .where(sql<boolean>`id = any(${ids}::text[])`)
    .where('state', 'in', ['open', 'redriven'])
    .returning('id')
    .execute();
  await transaction
    .deleteFrom('dead_letter_contents')
    .where(sql<boolean>`id = any(${purged.map(({ id }) => id)}::text[])`)
    .execute();
  return purged.length;
}

async function countMatching(db: Db | Transaction, filter: LetterFilter): Promise<number> {
  const row = await matchingLetters(db.selectFrom('dead_letters'), filter)
    .select((one) => one.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

async function candidatesOf(db: Db | Transaction, filter: LetterFilter, limit: number): Promise<Candidate[]> {
  const rows = await matchingLetters(db.selectFrom('dead_letters'), filter)
    .select([
      'id',
      'state',
      'stage',
      'service',
      'reason',
      'part',
      'complete',
      'redrives',
      'sent',
      'at',
      'round',
      'command_id',
      'source_topic',
      'source_partition',
      'source_offset',
      sql<boolean>`exists (select from dead_letter_contents c where c.id = dead_letters.id and c.value is not null)`.as(
        'has_value',
      ),
      sql<number | null>`(select max(o.round) from dead_letters o
        where o.command_id = dead_letters.command_id and o.type = dead_letters.type)`.as('last_round'),
    ])
    .orderBy('at')
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    state: row.state,
    stage: row.stage,
    service: row.service,
    reason: row.reason,
    part: row.part,
    complete: row.complete,
    hasValue: row.has_value,
    redrives: row.redrives + row.sent,
    at: row.at.getTime(),
    commandId: row.command_id,
    round: row.round,
    lastRound: row.last_round,
    source:
      row.source_topic === null
        ? null
        : {
            topic: row.source_topic,
            partition: Number(row.source_partition),
            offset: Number(row.source_offset),
          },
  }));
}
