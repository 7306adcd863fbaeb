// Risk scores that actions give, and what objects have in total.
//
// Invariant: the row of the command comes first and is unique: a command that comes again, from one worker or from two, writes nothing
// and is answered as at first. Scores of one object are written one after the other, so that every total has all before it.
import { objectKey, type RiskObject } from '@tocsin/topologies/domain/risk/score.ts';
import type { RiskStorePort, ScoredObject } from '@tocsin/topologies/ports/risk-store.ts';
import { sql } from 'kysely';
import { publishEvents, recordOnce } from './record-once.ts';
import type { Db, Transaction } from './schema.ts';
import { storable, time } from './text.ts';

export function createRiskStore(db: Db): RiskStorePort {
  return {
    record: ({ command_id, tenant, scores, rule, eventOf }) =>
      recordOnce(db, async (transaction) => {
        const inserted = await transaction
          .insertInto('risk_commands')
          .values({ command_id })
          .onConflict((conflict) => conflict.doNothing())
          .returning('command_id')
          .executeTakeFirst();
        if (inserted === undefined) {
          const first = await transaction
            .selectFrom('risk_commands')
            .select('made')
            .where('command_id', '=', command_id)
            .executeTakeFirstOrThrow();
          return first.made as unknown as ScoredObject[];
        }
        if (scores.length === 0) return [];
        const clean = storable(scores);
        const owner = storable(tenant);
        await lockObjects(
          transaction,
          owner,
          clean.map(({ object }) => object),
        );
        await transaction
          .insertInto('risk_scores')
          .values(
            clean.map((score) => ({
              tenant: owner,
              object_type: score.object.type,
              object_id: score.object.id,
              command_id,
              kind: score.kind,
              name: score.name,
              scoring_type: score.scoring_type,
              score: String(score.score),
              fidelity: String(score.fidelity),
              effective: String(score.effective),
              index_name: score.index,
              fields: JSON.stringify(score.fields),
              rule: rule === null ? null : JSON.stringify(storable(rule)),
              row_index: score.row_index,
              scored_at: time(score.scored_at) as string,
              expires_at: time(score.expires_at),
            })),
          )
          .execute();
        const made: ScoredObject[] = [];
        for (const { object, effective } of clean)
          made.push({ object, effective, total: await newestTotal(transaction, owner, object) });
        await transaction
          .updateTable('risk_commands')
          .set({ made: JSON.stringify(made) })
          .where('command_id', '=', command_id)
          .execute();
        await publishEvents(
          transaction,
          scores.map((score, index) => storable(eventOf(score, made[index]?.total ?? 0))),
        );
        return made;
      }),
  };
}

/** Until the commit; in one order for all, so that nobody waits in a circle. */
async function lockObjects(
  transaction: Transaction,
  tenant: string,
  objects: readonly RiskObject[],
): Promise<void> {
  const keys = objects.map((object) => `${tenant}\n${objectKey(object)}`);
  await sql`
    select pg_advisory_xact_lock(key) from (
      select distinct hashtextextended(name, 3853314796) as key from unnest(${keys}::text[]) as name order by key
    ) keys`.execute(transaction);
}

/** At the time of the newest score: what comes late counts as well. */
async function newestTotal(
  transaction: Transaction,
  tenant: string,
  { type, id }: RiskObject,
): Promise<number> {
  const { rows } = await sql<{ total: string }>`
    select coalesce(sum(effective), 0)::text as total from risk_scores,
      (select max(scored_at) as newest from risk_scores
       where tenant = ${tenant} and object_type = ${type} and object_id = ${id}) as n
    where tenant = ${tenant} and object_type = ${type} and object_id = ${id}
      and (expires_at is null or expires_at > newest)`.execute(transaction);
  return Number(rows[0]?.total ?? 0);
}
