// SIEM integrations as in the SIEM guide: a sink of the type that the body describes, with a connection of its own.
import { randomBytes } from 'node:crypto';
import type { Document } from '@tocsin/adapters/postgres/config-store.ts';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Dependencies } from '../dependencies.ts';
import { notFound } from '../errors.ts';
import { eventsSchema, type Filters, filterNotes, filtersOf, filtersSchema } from '../event-filters.ts';
import { idempotencyHeader } from '../idempotency.ts';
import { limitOf, pageOf, pageQuery } from '../paging.ts';
import { siemDocuments, siemPath } from '../siem-body.ts';
import { siemSchema } from '../siem-kinds.ts';
import { shownSiem, siemNotes } from '../siem-view.ts';
import { type SinkCalls, testEvent, testEvents } from '../sink-calls.ts';
import { checkMatch, createSinkPairs, etagOf, findPair, type StoredPair } from '../sink-pairs.ts';
import { stateOf } from '../sink-state.ts';
import { webhookFields } from '../webhook-body.ts';

interface Params {
  readonly id: string;
}
type Body = Readonly<Record<string, unknown>>;
interface Patch {
  readonly name?: string;
  readonly events?: readonly string[];
  readonly filters?: Filters;
  readonly active?: boolean;
}

const url = '/api/integrations/siem';
const prefix = 'siem-';
const tags = ['integrations'];
const read = { access: 'read:webhooks' } as const;
const write = { access: 'write:webhooks' } as const;

const isSiem = ({ id }: Document): boolean => id.startsWith(prefix);

export function siemRoutes(app: FastifyInstance, dependencies: Dependencies, calls: SinkCalls): void {
  const { store, paging, deliveries, lag } = dependencies;
  const pairs = createSinkPairs(dependencies);

  async function siemOf(reader: Pick<Dependencies['store'], 'get'>, id: string): Promise<StoredPair> {
    const found = await findPair(reader, id, isSiem);
    if (found === null) throw notFound();
    return found;
  }
  const answer = (pair: StoredPair) => ({
    data: shownSiem(pair),
    warnings: [...siemNotes(pair), ...filterNotes((pair.sink.document.filters ?? {}) as Filters)],
  });
  const send = (reply: FastifyReply, pair: StoredPair) =>
    reply.header('etag', etagOf(pair)).send(answer(pair));

  app.post<{ Body: Body }>(
    url,
    {
      config: write,
      schema: { summary: 'Create a SIEM integration', tags, headers: idempotencyHeader, body: siemSchema },
    },
    async (request, reply) => {
      const id = `${prefix}${randomBytes(8).toString('hex')}`;
      const result = await pairs.writeOnce(request, async (writer) => {
        const documents = siemDocuments(id, request.body, null, Date.now());
        const path = siemPath(request.body);
        const pair = await pairs.put(writer, request.actor, null, documents, path);
        return { etag: etagOf(pair), ...answer(pair) };
      });
      const { etag, ...shown } = JSON.parse(result.body) as { etag: string; data: { id: string } };
      if (result.replayed) reply.header('idempotent-replayed', 'true');
      return reply.code(201).header('etag', etag).header('location', `${url}/${shown.data.id}`).send(shown);
    },
  );

  app.get<{ Querystring: { readonly cursor?: string; readonly limit?: string } }>(
    url,
    {
      config: read,
      schema: {
        summary: 'List SIEM integrations',
        tags,
        querystring: { type: 'object', additionalProperties: false, properties: pageQuery },
      },
    },
    async (request) => {
      const limit = limitOf(request.query);
      const [after] = paging.decode(url, request.query.cursor) ?? [];
      const sinks = await store.list('sink', { after: after ?? prefix, limit: limit + 1 });
      const page = pageOf(
        sinks.filter(({ document }) => isSiem(document)),
        limit,
        (last) => paging.encode(url, [last.document.id]),
      );
      const found = await Promise.all(page.items.map(({ document }) => findPair(store, document.id, isSiem)));
      return { data: found.filter((pair) => pair !== null).map(shownSiem), next_cursor: page.next_cursor };
    },
  );

  app.get<{ Params: Params }>(
    `${url}/:id`,
    { config: read, schema: { summary: 'Get a SIEM integration with its state', tags } },
    async (request, reply) => {
      const pair = await siemOf(store, request.params.id);
      return reply
        .header('etag', etagOf(pair))
        .send({ data: { ...shownSiem(pair), state: await stateOf({ deliveries, lag }, pair) } });
    },
  );

  app.put<{ Params: Params; Body: Body }>(
    `${url}/:id`,
    {
      config: write,
      schema: {
        summary: 'Replace a SIEM integration; credentials stay where they are left out',
        tags,
        body: siemSchema,
      },
    },
    async (request, reply) => {
      const pair = await pairs.write(request.actor, async (writer) => {
        const before = await siemOf(writer, request.params.id);
        checkMatch(request, before, true);
        const documents = siemDocuments(request.params.id, request.body, before, Date.now());
        return pairs.put(writer, request.actor, before, documents, siemPath(request.body));
      });
      return send(reply, pair);
    },
  );

  app.patch<{ Params: Params; Body: Patch }>(
    `${url}/:id`,
    {
      config: write,
      schema: {
        summary: 'Change name, events, filters, or whether it is active',
        tags,
        body: {
          type: 'object',
          additionalProperties: false,
          properties: {
            name: webhookFields.name,
            events: eventsSchema,
            filters: filtersSchema,
            active: { type: 'boolean' },
          },
        },
      },
    },
    async (request, reply) => {
      const pair = await pairs.write(request.actor, async (writer) => {
        const before = await siemOf(writer, request.params.id);
        checkMatch(request, before, false);
        const { name = before.sink.document.name, active = before.sink.document.enabled } = request.body;
        const { events: heldEvents, ...heldFilters } = (before.sink.document.filters ?? {}) as Filters;
        const filters = filtersOf(request.body.events ?? heldEvents, request.body.filters ?? heldFilters);
        const sink = { ...before.sink.document, name, enabled: active, filters } as Document;
        return pairs.put(
          writer,
          request.actor,
          before,
          { sink, connection: before.connection.document },
          siemPath({}),
        );
      });
      return send(reply, pair);
    },
  );

  app.delete<{ Params: Params }>(
    `${url}/:id`,
    { config: write, schema: { summary: 'Delete a SIEM integration', tags } },
    async (request, reply) => {
      await pairs.write(request.actor, async (writer) => {
        const before = await siemOf(writer, request.params.id);
        checkMatch(request, before, false);
        await pairs.remove(writer, before);
      });
      return reply.code(204).send();
    },
  );

  app.post<{ Params: Params; Querystring: { readonly event?: (typeof testEvents)[number] } }>(
    `${url}/:id/test`,
    {
      config: write,
      schema: {
        summary: 'Send a test event now',
        tags,
        querystring: {
          type: 'object',
          additionalProperties: false,
          properties: { event: { enum: testEvents } },
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      await siemOf(store, id);
      const event = testEvent(request.query.event ?? 'webhook.test', id, Date.now());
      return calls.ask(request, reply, id, { verb: 'test', event });
    },
  );
}
