// Records of techniques: written by actions, read by layer.
//
// Invariant: the command id is unique: a command that comes again, from one worker or from two, writes nothing and is answered as at first.
import type { TechniqueCount } from '@tocsin/topologies/domain/mitre/navigator-layer.ts';
import type { MitreRecord } from '@tocsin/topologies/domain/mitre/record.ts';
import {
  type MitreStorePort,
  type RecordedTechniques,
  recordedOf,
} from '@tocsin/topologies/ports/mitre-store.ts';
import { sql } from 'kysely';
import { publishEvents, recordOnce } from './record-once.ts';
import type { Db } from './schema.ts';
import { storable, time } from './text.ts';

export function createMitreStore(db: Db): MitreStorePort {
  return {
    record: (given, event) =>
      recordOnce(db, async (transaction) => {
        const { index, fields, at, techniques, tactics, ...record } = storable(given);
        const made = storable(recordedOf(given));
        const inserted = await transaction
          .insertInto('mitre_records')
          .values({
            ...record,
            techniques: [...techniques],
            tactics: [...tactics],
            index_name: index,
            fields: JSON.stringify(fields),
            made: JSON.stringify(made),
            at: time(at) as string,
          })
          .onConflict((conflict) => conflict.doNothing())
          .returning('command_id')
          .executeTakeFirst();
        if (inserted !== undefined) {
          await publishEvents(transaction, [storable(event)]);
          return made;
        }
        const first = await transaction
          .selectFrom('mitre_records')
          .select('made')
          .where('command_id', '=', record.command_id)
          .executeTakeFirstOrThrow();
        return first.made as unknown as RecordedTechniques;
      }),
  };
}

export interface Layer {
  readonly id: string;
  readonly records: number;
  readonly last_at: Date;
}

export type MitreRow = Omit<MitreRecord, 'at'> & {
  readonly at: Date;
  /** The incident is there. */
  readonly incident_exists: boolean;
};

export interface MitreSearch {
  /** By id, after `after`. */
  layers(page: { readonly after?: string; readonly limit: number }): Promise<Layer[]>;
  /** By id; empty for a layer that nothing was recorded for. */
  techniques(
    layer: string,
    time: { readonly after?: Date; readonly before?: Date },
  ): Promise<TechniqueCount[]>;
  /** Newest first. */
  records(
    filter: { readonly layer?: string; readonly incident?: string; readonly technique?: string },
    page: { readonly before?: { readonly at: Date; readonly commandId: string }; readonly limit: number },
  ): Promise<MitreRow[]>;
}

export function createMitreSearch(db: Db): MitreSearch {
  return {
    async layers({ after = '', limit }) {
      const rows = await db
        .selectFrom('mitre_records')
        .select((one) => [
          'layer as id',
          one.fn.countAll<string>().as('records'),
          one.fn.max('at').as('last_at'),
        ])
        .where('layer', '>', after)
        .groupBy('layer')
        .orderBy('layer')
        .limit(limit)
        .execute();
      return rows.map((row) => ({ ...row, records: Number(row.records) }));
    },
    async techniques(layer, { after, before }) {
      const { rows } = await sql<{ technique: string; count: string; rank: number; last_at: Date }>`
        select technique, count(*)::text as count, max(array_position(array['low', 'medium', 'high'], severity)) as rank,
          max(at) as last_at
        from mitre_records, unnest(techniques) as technique
        where layer = ${layer} and at >= coalesce(${after ?? null}::timestamptz, '-infinity')
          and at < coalesce(${before ?? null}::timestamptz, 'infinity')
        group by technique order by technique`.execute(db);
      return rows.map(({ rank, count, ...row }) => ({
        ...row,
        count: Number(count),
        severity: ['low', 'medium', 'high'][rank - 1] ?? 'medium',
      }));
    },
    async records({ layer, incident, technique }, { before, limit }) {
      let query = db
        .selectFrom('mitre_records as r')
        .leftJoin('incidents as i', 'i.id', 'r.incident_id')
        .selectAll('r')
        .select((one) => one('i.id', 'is not', null).as('incident_exists'));
      if (layer !== undefined) query = query.where('r.layer', '=', layer);
      if (incident !== undefined) query = query.where('r.incident_id', '=', incident);
      if (technique !== undefined)
        query = query.where(sql<boolean>`r.techniques @> array[${technique}]::text[]`);
      if (before !== undefined)
        query = query.where(sql<boolean>`(r.at, r.command_id) < (${before.at}, ${before.commandId})`);
      const rows = await query.orderBy('r.at', 'desc').orderBy('r.command_id', 'desc').limit(limit).execute();
      return rows.map(({ made: _, index_name: index, row_index, ...row }) => ({
        ...row,
        index,
        row_index: row_index === null ? null : Number(row_index),
      })) as unknown as MitreRow[];
    },
  };
}
