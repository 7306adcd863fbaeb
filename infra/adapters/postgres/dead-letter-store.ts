// Writes dead letters for those who search them, and forgets those that the topic has forgotten too.
//
// Invariant: writing the same letters again, in any order, changes nothing; what people did to a letter stays.
import type { Letter } from '@tocsin/topologies/domain/dead-letters/read-letter.ts';
import { sql } from 'kysely';
import type { Db } from './schema.ts';
import { storable, time } from './text.ts';

export interface DeadLetterStore {
  /** One transaction. */
  write(letters: readonly Letter[]): Promise<void>;
  /** Deletes letters from before `before`, at most `limit`; returns how many. Those that are about to be sent stay. */
  prune(before: Date, limit: number): Promise<number>;
}

export function createDeadLetterStore(db: Db): DeadLetterStore {
  return {
    async write(letters) {
      // One order for all writers, and an insert must not name a row twice.
      const unique = [...new Map(letters.map((letter) => [letter.id, letter])).values()];
      if (unique.length === 0) return;
      unique.sort((a, b) => (a.id < b.id ? -1 : 1));
      await db.transaction().execute(async (transaction) => {
        const added = await transaction
          .insertInto('dead_letters')
          .values(unique.map(rowOf))
          .onConflict((conflict) => conflict.doNothing())
          .returning('id')
          .execute();
        const ids = new Set(added.map(({ id }) => id));
        const contents = unique.filter(({ id }) => ids.has(id)).map(contentsOf);
        if (contents.length > 0)
          await transaction.insertInto('dead_letter_contents').values(contents).execute();
      });
    },
    async prune(before, limit) {
      const { numAffectedRows = 0n } = await sql`
        delete from dead_letters where id in (
          select id from dead_letters where at < ${before} and state <> 'queued' order by at limit ${limit})`.execute(
        db,
      );
      return Number(numAffectedRows);
    },
  };
}

function rowOf(letter: Letter) {
  const { place, source, firstSource, command, key } = letter;
  return {
    id: letter.id,
    letter_partition: place.partition,
    letter_offset: String(place.offset),
    stage: storable(letter.stage),
    service: storable(letter.service),
    reason: storable(letter.reason),
    error: storable(letter.error),
    source_topic: source?.topic ?? null,
    source_partition: source === null ? null : String(source.partition),
    source_offset: source === null ? null : String(source.offset),
    first_source:
      firstSource === null ? null : `${firstSource.topic}/${firstSource.partition}/${firstSource.offset}`,
    attempts: letter.attempts,
    at: time(letter.at) as string,
    first_at: time(letter.firstAt),
    command_id: storable(letter.commandId),
    part: storable(letter.part),
    round: command === null ? null : Math.min(command.round, 0x7fff_ffff - 1),
    type: storable(command?.type ?? null),
    action_id: storable(command?.action ?? null),
    rule_id: storable(command?.rule ?? null),
    connection: storable(command?.connection ?? null),
    playbook: storable(command?.playbook ?? null),
    run: storable(command?.run ?? null),
    tenant: storable(command?.tenant ?? null),
    key: key === null ? null : storable(key.toString('utf8').slice(0, 1_024)),
    redrives: letter.redrives,
    redrive_of: storable(letter.redriveOf),
    complete: letter.complete,
    bytes: String(letter.bytes),
  };
}

function contentsOf({ id, key, value, headers }: Letter) {
  return {
    id,
    key,
    value,
    headers: JSON.stringify(headers.map(([name, content]) => [storable(name), content.toString('base64')])),
  };
}
