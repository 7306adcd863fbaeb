// What webhooks and SIEM integrations have in common over HTTP: creating, listing, reading with state, deleting.
import type { ConfigWriter, Document } from '@tocsin/adapters/postgres/config-store.ts';
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Dependencies } from '../dependencies.ts';
import { notFound } from '../errors.ts';
import { limitOf, pageOf, pageQuery } from '../paging.ts';
import { type SinkCalls, testEvent, testEvents } from '../sink-calls.ts';
import { checkMatch, etagOf, findPair, type SinkPairs, type StoredPair } from '../sink-pairs.ts';
import { stateOf } from '../sink-state.ts';

export interface PairKind {
  readonly url: string;
  /** Ids begin with it. */
  readonly prefix: string;
  readonly tag: string;
  readonly what: string;
  readonly isOurs: (sink: Document) => boolean;
  readonly shown: (pair: StoredPair) => Record<string, unknown>;
  readonly notes: (pair: StoredPair) => Issue[];
}

export interface PairParams {
  readonly id: string;
}

export const pairAccess = {
  read: { access: 'read:webhooks' },
  write: { access: 'write:webhooks' },
} as const;

/** The pair of this id. Throws 404. */
export async function pairOf(
  kind: PairKind,
  reader: Pick<Dependencies['store'], 'get'>,
  id: string,
): Promise<StoredPair> {
  const found = await findPair(reader, id, kind.isOurs);
  if (found === null) throw notFound();
  return found;
}

const answerOf = (kind: PairKind, pair: StoredPair) => ({
  data: kind.shown(pair),
  warnings: kind.notes(pair),
});

/** What a change answers. */
export function sendPair(kind: PairKind, reply: FastifyReply, pair: StoredPair): FastifyReply {
  return reply.header('etag', etagOf(pair)).send(answerOf(kind, pair));
}

/** Answers 201 with what `make` wrote, or the answer that was given before under the same Idempotency-Key. */
export async function createPair(
  kind: PairKind,
  pairs: SinkPairs,
  request: FastifyRequest,
  reply: FastifyReply,
  make: (writer: ConfigWriter) => Promise<StoredPair>,
): Promise<FastifyReply> {
  const result = await pairs.writeOnce(request, async (writer) => {
    const pair = await make(writer);
    return { etag: etagOf(pair), ...answerOf(kind, pair) };
  });
  const { etag, ...shown } = JSON.parse(result.body) as { etag: string; data: { id: string } };
  if (result.replayed) reply.header('idempotent-replayed', 'true');
  return reply.code(201).header('etag', etag).header('location', `${kind.url}/${shown.data.id}`).send(shown);
}

/** Sends a test event to the receiver, past the filters, also when the sink is switched off. */
export function pairTestRoute(
  app: FastifyInstance,
  kind: PairKind,
  { store }: Pick<Dependencies, 'store'>,
  calls: SinkCalls,
): void {
  app.post<{ Params: PairParams; Querystring: { readonly event?: (typeof testEvents)[number] } }>(
    `${kind.url}/:id/test`,
    {
      config: pairAccess.write,
      schema: {
        summary: `Send a test event now, past the filters, also when the ${kind.what} is not active`,
        tags: [kind.tag],
        querystring: {
          type: 'object',
          additionalProperties: false,
          properties: {
            event: { enum: testEvents, description: 'Type of the event; webhook.test without it.' },
          },
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      await pairOf(kind, store, id);
      const event = testEvent(request.query.event ?? 'webhook.test', id, Date.now());
      return calls.ask(request, reply, id, { verb: 'test', event });
    },
  );
}

/** Lists, reads and deletes. `more`: what one shows beyond its fields and state. */
export function pairRoutes(
  app: FastifyInstance,
  kind: PairKind,
  pairs: SinkPairs,
  { store, paging, deliveries, lag }: Pick<Dependencies, 'store' | 'paging' | 'deliveries' | 'lag'>,
  more: (id: string) => Promise<Record<string, unknown>> = async () => ({}),
): void {
  const { url, prefix, what } = kind;
  const tags = [kind.tag];

  app.get<{ Querystring: { readonly cursor?: string; readonly limit?: string } }>(
    url,
    {
      config: pairAccess.read,
      schema: {
        summary: `List ${what}s`,
        tags,
        querystring: { type: 'object', additionalProperties: false, properties: pageQuery },
      },
    },
    async (request) => {
      const limit = limitOf(request.query);
      const [after] = paging.decode(url, request.query.cursor) ?? [];
      const sinks = await store.list('sink', { after: after ?? prefix, limit: limit + 1 });
      const page = pageOf(
        sinks.filter(({ document }) => document.id.startsWith(prefix)),
        limit,
        (last) => paging.encode(url, [last.document.id]),
      );
      const found = await Promise.all(
        page.items.map(({ document }) => findPair(store, document.id, kind.isOurs)),
      );
      return { data: found.filter((pair) => pair !== null).map(kind.shown), next_cursor: page.next_cursor };
    },
  );

  app.get<{ Params: PairParams }>(
    `${url}/:id`,
    { config: pairAccess.read, schema: { summary: `Get a ${what} with its state`, tags } },
    async (request, reply) => {
      const pair = await pairOf(kind, store, request.params.id);
      const state = await stateOf({ deliveries, lag }, pair);
      return reply
        .header('etag', etagOf(pair))
        .send({ data: { ...kind.shown(pair), ...(await more(request.params.id)), state } });
    },
  );

  app.delete<{ Params: PairParams }>(
    `${url}/:id`,
    { config: pairAccess.write, schema: { summary: `Delete a ${what}`, tags } },
    async (request, reply) => {
      await pairs.write(request.actor, async (writer) => {
        const before = await pairOf(kind, writer, request.params.id);
        checkMatch(request, before, false);
        await pairs.remove(writer, before);
      });
      return reply.code(204).send();
    },
  );
}
