// The delivery log of sinks: a ring of the last requests of each, and the state of each.
//
// Invariant: writing the same records again changes nothing, and a sink never has more rows than `kept` (what was asked for by people,
// a test, is among them). A state is replaced by a newer one only.
import type { Delivery, DeliveryAttempt, DeliveryState } from '@tocsin/schemas/types.ts';
import { sql } from 'kysely';
import type { Db } from './schema.ts';
import { storable, time } from './text.ts';

/** Rows of one sink. */
export const kept = 1_000;

export interface DeliveryRow {
  readonly id: string;
  /** Position in the log; grows. */
  readonly seq: string;
  readonly sink: string;
  readonly at: Date;
  readonly sent_by: string;
  readonly event_id: string | null;
  readonly event: string | null;
  readonly source: { readonly topic: string; readonly partition: number; readonly offset: number } | null;
  readonly events: number;
  readonly attempt: number;
  readonly status: string;
  readonly status_code: number | null;
  readonly code: string | null;
  readonly detail: string | null;
  readonly latency_ms: number;
  readonly response: string | null;
  readonly omitted: number | null;
}

export interface SinkState {
  readonly paused: boolean;
  readonly code: string | null;
  readonly detail: string | null;
  readonly at: Date;
}

export interface DeliveryStore {
  write(records: readonly Delivery[]): Promise<void>;
  /** Newest first, below `before`. */
  list(
    sink: string,
    page: { readonly before?: string; readonly status?: string; readonly limit: number },
  ): Promise<DeliveryRow[]>;
  get(sink: string, id: string): Promise<DeliveryRow | null>;
  /** What became of a request; null while nothing is known. */
  ofRequest(request: string): Promise<DeliveryRow | null>;
  /** Null: nothing was told, so it was not paused. */
  state(sink: string): Promise<SinkState | null>;
  lastFailure(sink: string): Promise<DeliveryRow | null>;
}

export function createDeliveryStore(db: Db): DeliveryStore {
  const rows = () => db.selectFrom('deliveries').selectAll();
  return {
    async write(records) {
      const attempts = records.filter((record) => record.kind === 'attempt');
      const states = records.filter((record) => record.kind === 'state');
      await db.transaction().execute(async (transaction) => {
        if (attempts.length > 0) {
          await transaction
            .insertInto('deliveries')
            .values(attempts.map(rowOf))
            .onConflict((conflict) => conflict.column('id').doNothing())
            .execute();
          const sinks = [...new Set(attempts.map(({ sink }) => storable(sink)))].sort();
          await sql`
            delete from deliveries d using (
              select s.sink, (select seq from deliveries where sink = s.sink order by seq desc offset ${kept} limit 1) as last
              from unnest(${sinks}::text[]) as s (sink)
            ) old where d.sink = old.sink and d.seq <= old.last`.execute(transaction);
        }
        for (const state of newestStates(states))
          await sql`
            insert into sink_states (sink, paused, code, detail, at)
            values (${storable(state.sink)}, ${state.paused}, ${storable(state.code ?? null)}, ${storable(state.detail ?? null)}, ${time(state.at)})
            on conflict (sink) do update set
              paused = excluded.paused, code = excluded.code, detail = excluded.detail, at = excluded.at
            where excluded.at >= sink_states.at`.execute(transaction);
      });
    },
    async list(sink, { before, status, limit }) {
      let query = rows().where('sink', '=', sink);
      if (status !== undefined) query = query.where('status', '=', status);
      if (before !== undefined) query = query.where('seq', '<', before);
      return query.orderBy('seq', 'desc').limit(limit).execute();
    },
    get: async (sink, id) =>
      (await rows().where('sink', '=', sink).where('id', '=', id).executeTakeFirst()) ?? null,
    ofRequest: async (request) => (await rows().where('request', '=', request).executeTakeFirst()) ?? null,
    async state(sink) {
      const found = await db
        .selectFrom('sink_states')
        .select(['paused', 'code', 'detail', 'at'])
        .where('sink', '=', sink)
        .executeTakeFirst();
      return found ?? null;
    },
    async lastFailure(sink) {
      const found = await rows()
        .where('sink', '=', sink)
        .where('status', '!=', 'delivered')
        .orderBy('seq', 'desc')
        .limit(1)
        .executeTakeFirst();
      return found ?? null;
    },
  };
}

function rowOf(record: DeliveryAttempt) {
  const { event_id, event, request, source, status_code, code, detail, response, omitted } = record;
  return {
    id: record.id,
    sink: storable(record.sink),
    at: time(record.at) as string,
    sent_by: record.by,
    request: request ?? null,
    event_id: storable(event_id ?? null),
    event: storable(event ?? null),
    source: source === undefined ? null : JSON.stringify(storable(source)),
    events: whole(record.events),
    attempt: whole(record.attempt),
    status: record.status,
    status_code: status_code === undefined ? null : whole(status_code),
    code: storable(code ?? null),
    detail: storable(detail ?? null),
    latency_ms: whole(record.latency_ms),
    response: storable(response ?? null),
    omitted: omitted === undefined ? null : whole(omitted),
  };
}

function whole(value: number): number {
  return Math.min(Math.max(value, -0x8000_0000), 0x7fff_ffff);
}

function newestStates(states: readonly DeliveryState[]): DeliveryState[] {
  const newest = new Map<string, DeliveryState>();
  for (const state of states)
    if (state.at >= (newest.get(state.sink)?.at ?? 0)) newest.set(state.sink, state);
  return [...newest.values()].sort((a, b) => (a.sink < b.sink ? -1 : 1));
}
