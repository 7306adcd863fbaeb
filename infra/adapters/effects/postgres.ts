// The effects ledger in PostgreSQL: for effects that must not be repeated (tickets, mail, scripts, incidents).
// Invariant: of all callers that begin one command exactly one hears 'fresh', also when they are different processes; the first
// stored outcome stays.
// Surprise: a begin that collides reads the row in a second statement; when the row was released in between it tries again.
import type { Outcome, Progress } from '@tocsin/topologies/domain/action/outcome.ts';
import { type EffectState, type EffectsPort, mayHaveHappened } from '@tocsin/topologies/ports/effects.ts';
import type { SqlRunner } from './schema.sql.ts';

const ATTEMPTS = 5;

/** Rejects with pg's error when the database does not answer. The table must exist (schema.sql.ts or the migrations). */
export function createPostgresEffects(sql: SqlRunner): EffectsPort {
  return {
    async begin(commandId, now, round = 1) {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const inserted = await sql.query(
          'insert into effects (command_id, begun_at, round) values ($1, $2, $3) on conflict (command_id) do nothing returning command_id',
          [commandId, new Date(now), round],
        );
        if (inserted.rows.length === 1) return { state: 'fresh' };
        const held = await sql.query(
          'select begun_at, outcome, round, possible_duplicate, released, progress from effects where command_id = $1',
          [commandId],
        );
        const row = held.rows[0] as unknown as Row | undefined;
        if (row === undefined) continue;
        if (row.outcome?.status === 'done' || (row.round >= round && !row.released)) return stateOf(row);
        // Whoever else begins it meanwhile has changed the round, or that it is released.
        const begun = await sql.query(
          `update effects set begun_at = $2, finished_at = null, outcome = null, round = $3, possible_duplicate = false, released = false
           where command_id = $1 and round = $4 and (outcome is null) = $5 and released = $6 returning command_id`,
          [commandId, new Date(now), round, row.round, row.outcome === null, row.released],
        );
        if (begun.rows.length === 0) continue;
        if (row.released) return { state: 'fresh', ...notedIn(row) };
        const possibleDuplicate = mayHaveHappened(row.outcome, row.possible_duplicate);
        return { state: 'reopened', possibleDuplicate, ...notedIn(row) };
      }
      throw new Error('the effect was begun and released again and again');
    },
    async finish(commandId, outcome, now, possibleDuplicate = false) {
      await sql.query(
        `insert into effects (command_id, begun_at, finished_at, outcome, possible_duplicate) values ($1, $2, $2, $3, $4)
         on conflict (command_id) do update set finished_at = excluded.finished_at, outcome = excluded.outcome,
           possible_duplicate = excluded.possible_duplicate, released = false
         where effects.outcome is null`,
        [commandId, new Date(now), storable(outcome), possibleDuplicate],
      );
    },
    async note(commandId, progress, now) {
      await sql.query(
        `insert into effects (command_id, begun_at, progress) values ($1, $2, $3)
         on conflict (command_id) do update set progress = excluded.progress, released = false where effects.outcome is null`,
        [commandId, new Date(now), storable(progress)],
      );
    },
    async release(commandId) {
      const held = 'command_id = $1 and outcome is null';
      await sql.query(`update effects set released = true where ${held} and progress is not null`, [
        commandId,
      ]);
      await sql.query(`delete from effects where ${held} and progress is null`, [commandId]);
    },
  };
}

// jsonb takes neither U+0000 nor half a surrogate pair, which a receiver may put in its answer; refused once it is refused for ever.
function storable(value: Outcome | Progress): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'string' ? part.replaceAll('\0', '\ufffd').toWellFormed() : part,
  );
}

/**
 * Deletes entries of which nothing was heard since `before` (epoch ms), at most `limit` at a time; returns how many. A command may
 * wait for months between its begin and its end; what it may come again after is its end.
 */
export async function pruneEffects(sql: SqlRunner, before: number, limit = 10_000): Promise<number> {
  const deleted = await sql.query(
    'delete from effects where command_id in (select command_id from effects where begun_at < $1 and (finished_at is null or finished_at < $1) order by begun_at limit $2)',
    [new Date(before), limit],
  );
  return deleted.rowCount ?? 0;
}

interface Row {
  readonly begun_at: Date;
  readonly outcome: Outcome | null;
  readonly round: number;
  readonly possible_duplicate: boolean;
  readonly released: boolean;
  readonly progress: Progress | null;
}

/** A column without a note is null. */
function notedIn({ progress }: Row): { readonly progress?: Progress } {
  return progress === null ? {} : { progress };
}

function stateOf(row: Row): EffectState {
  const { begun_at, outcome, possible_duplicate } = row;
  if (outcome === null) return { state: 'uncertain', begunAt: begun_at.getTime(), ...notedIn(row) };
  return { state: 'finished', outcome, ...(possible_duplicate ? { possibleDuplicate: true } : {}) };
}
