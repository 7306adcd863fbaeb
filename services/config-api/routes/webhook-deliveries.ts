// The delivery log of webhooks, and sending an event again.
import { can } from '@tocsin/adapters/postgres/access.ts';
import type { FastifyInstance } from 'fastify';
import type { Dependencies } from '../dependencies.ts';
import { ApiError, notFound } from '../errors.ts';
import { limitOf, pageOf, pageQuery } from '../paging.ts';
import { type SinkCalls, shownDelivery } from '../sink-calls.ts';
import { webhookOf } from './webhooks.ts';

interface Params {
  readonly id: string;
  readonly delivery: string;
}

const url = '/api/webhooks/:id';
const tags = ['webhooks'];
const read = { access: 'read:webhooks' } as const;
const write = { access: 'write:webhooks' } as const;

export function webhookDeliveryRoutes(
  app: FastifyInstance,
  { store, deliveries, paging }: Pick<Dependencies, 'store' | 'deliveries' | 'paging'>,
  calls: SinkCalls,
): void {
  app.get<{
    Params: Params;
    Querystring: { readonly cursor?: string; readonly limit?: string; readonly status?: string };
  }>(
    `${url}/deliveries`,
    {
      config: read,
      schema: {
        summary: 'Requests to the receiver, newest first; the last 1,000',
        tags,
        querystring: {
          type: 'object',
          additionalProperties: false,
          properties: { ...pageQuery, status: { enum: ['delivered', 'retrying', 'refused', 'paused'] } },
        },
      },
    },
    async (request) => {
      const { id } = request.params;
      await webhookOf(store, id);
      const { status } = request.query;
      const list = `deliveries/${id}/${status ?? ''}`;
      const limit = limitOf(request.query);
      const [before] = paging.decode(list, request.query.cursor) ?? [];
      const rows = await deliveries.list(id, {
        limit: limit + 1,
        ...(before === undefined ? {} : { before }),
        ...(status === undefined ? {} : { status }),
      });
      const page = pageOf(rows, limit, (last) => paging.encode(list, [last.seq]));
      const isOwner = can(request.actor.scopes, 'write:webhooks');
      return { data: page.items.map((row) => shownDelivery(row, isOwner)), next_cursor: page.next_cursor };
    },
  );

  app.get<{ Params: Params }>(
    `${url}/deliveries/:delivery`,
    { config: read, schema: { summary: 'One request to the receiver', tags } },
    async (request) => {
      const { id, delivery } = request.params;
      await webhookOf(store, id);
      const row = await deliveries.get(id, delivery);
      if (row === null) throw notFound();
      return { data: shownDelivery(row, can(request.actor.scopes, 'write:webhooks')) };
    },
  );

  app.post<{ Params: Params }>(
    `${url}/deliveries/:delivery/redeliver`,
    { config: write, schema: { summary: 'Send the event of a delivery again, under the same id', tags } },
    async (request, reply) => {
      const { id, delivery } = request.params;
      await webhookOf(store, id);
      const row = await deliveries.get(id, delivery);
      if (row === null) throw notFound();
      if (row.events !== 1 || row.source === null)
        throw new ApiError(
          409,
          'not_redeliverable',
          row.events > 1 ? `this request held ${row.events} events` : 'this request held no event of the log',
        );
      return calls.ask(request, reply, id, { verb: 'redeliver', source: row.source });
    },
  );
}
