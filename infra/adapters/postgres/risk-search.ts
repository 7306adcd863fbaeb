// What objects have in risk at a moment: totals, the scores behind them, and the objects with most.
//
// Invariant: a score counts from its time, and no longer at its expiry. The same moment gives the same answer as long as nothing is added.
import type { RiskObject } from '@tocsin/topologies/domain/risk/score.ts';
import { type SelectQueryBuilder, sql } from 'kysely';
import type { Database, Db } from './schema.ts';

export interface RiskMoment {
  /** '' without tenant. */
  readonly tenant: string;
  readonly at: Date;
  readonly scoring_type?: string;
}

export interface ObjectRisk {
  readonly object: RiskObject;
  readonly total: number;
  /** Scores that count. */
  readonly count: number;
}

export interface RiskRecord {
  readonly command_id: string;
  readonly kind: string;
  readonly name: string | null;
  readonly scoring_type: string;
  readonly score: number;
  readonly fidelity: number;
  readonly effective: number;
  readonly index: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly rule: Readonly<Record<string, unknown>> | null;
  readonly row_index: number | null;
  readonly scored_at: Date;
  readonly expires_at: Date | null;
}

export interface RiskSearch {
  /** The total by scoring type besides; zero of everything for an object that nobody scored. */
  total(
    object: RiskObject,
    moment: RiskMoment,
  ): Promise<ObjectRisk & { readonly by_scoring_type: Readonly<Record<string, number>> }>;
  /** Scores that count, newest first. */
  scores(
    object: RiskObject,
    moment: RiskMoment,
    page: {
      readonly before?: { readonly scoredAt: Date; readonly commandId: string };
      readonly limit: number;
    },
  ): Promise<RiskRecord[]>;
  /** Objects with most, first; of one type where it is given. */
  top(moment: RiskMoment, page: { readonly type?: string; readonly limit: number }): Promise<ObjectRisk[]>;
}

export function createRiskSearch(db: Db): RiskSearch {
  const counting = (moment: RiskMoment) => thatCount(db.selectFrom('risk_scores'), moment);
  return {
    async total(object, moment) {
      const rows = await counting(moment)
        .where('object_type', '=', object.type)
        .where('object_id', '=', object.id)
        .groupBy('scoring_type')
        .orderBy('scoring_type')
        .select((one) => [
          'scoring_type',
          one.fn.sum<string>('effective').as('total'),
          one.fn.countAll<string>().as('count'),
          // The sum of sums as a decimal, not of their binary fractions.
          sql<string>`sum(sum(effective)) over ()`.as('all'),
        ])
        .execute();
      return {
        object,
        total: Number(rows[0]?.all ?? 0),
        count: rows.reduce((sum, row) => sum + Number(row.count), 0),
        by_scoring_type: Object.fromEntries(rows.map((row) => [row.scoring_type, Number(row.total)])),
      };
    },
    async scores(object, moment, { before, limit }) {
      let query = counting(moment)
        .where('object_type', '=', object.type)
        .where('object_id', '=', object.id)
        .selectAll();
      if (before !== undefined)
        query = query.where(
          sql<boolean>`(scored_at, command_id) < (${before.scoredAt}, ${before.commandId})`,
        );
      const rows = await query
        .orderBy('scored_at', 'desc')
        .orderBy('command_id', 'desc')
        .limit(limit)
        .execute();
      return rows.map(({ tenant: _, object_type: __, object_id: ___, index_name, ...row }) => ({
        ...row,
        score: Number(row.score),
        fidelity: Number(row.fidelity),
        effective: Number(row.effective),
        row_index: row.row_index === null ? null : Number(row.row_index),
        index: index_name,
      }));
    },
    async top(moment, { type, limit }) {
      let query = counting(moment);
      if (type !== undefined) query = query.where('object_type', '=', type);
      const rows = await query
        .groupBy(['object_type', 'object_id'])
        .select((one) => [
          'object_type',
          'object_id',
          one.fn.sum<string>('effective').as('total'),
          one.fn.countAll<string>().as('count'),
        ])
        .orderBy('total', 'desc')
        .orderBy('object_type')
        .orderBy('object_id')
        .limit(limit)
        .execute();
      return rows.map((row) => ({
        object: { type: row.object_type, id: row.object_id },
        total: Number(row.total),
        count: Number(row.count),
      }));
    },
  };
}

function thatCount(
  query: SelectQueryBuilder<Database, 'risk_scores', object>,
  { tenant, at, scoring_type }: RiskMoment,
) {
  const counted = query
    .where('tenant', '=', tenant)
    .where('scored_at', '<=', at)
    .where((one) => one.or([one('expires_at', 'is', null), one('expires_at', '>', at)]));
  return scoring_type === undefined ? counted : counted.where('scoring_type', '=', scoring_type);
}
