// SIEM integrations as in the SIEM guide: a sink of the type that the body describes, with a connection of its own.
import { randomBytes } from 'node:crypto';
import type { Document } from '@tocsin/adapters/postgres/config-store.ts';
import type { FastifyInstance } from 'fastify';
import type { Dependencies } from '../dependencies.ts';
import { eventsSchema, type Filters, filterNotes, filtersOf, filtersSchema } from '../event-filters.ts';
import { idempotencyHeader } from '../idempotency.ts';
import { siemDocuments, siemPath } from '../siem-body.ts';
import { siemSchema } from '../siem-kinds.ts';
import { shownSiem, siemNotes } from '../siem-view.ts';
import type { SinkCalls } from '../sink-calls.ts';
import { checkMatch, createSinkPairs } from '../sink-pairs.ts';
import { webhookFields } from '../webhook-body.ts';
import {
  createPair,
  type PairKind,
  type PairParams,
  pairAccess,
  pairOf,
  pairRoutes,
  pairTestRoute,
  sendPair,
} from './pairs.ts';

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
const { write } = pairAccess;

const kind: PairKind = {
  url,
  prefix,
  tag: 'integrations',
  what: 'SIEM integration',
  isOurs: ({ id }) => id.startsWith(prefix),
  shown: shownSiem,
  notes: (pair) => [...siemNotes(pair), ...filterNotes((pair.sink.document.filters ?? {}) as Filters)],
};

export function siemRoutes(app: FastifyInstance, dependencies: Dependencies, calls: SinkCalls): void {
  const pairs = createSinkPairs(dependencies);
  pairRoutes(app, kind, pairs, dependencies);
  pairTestRoute(app, kind, dependencies, calls);

  app.post<{ Body: Body }>(
    url,
    {
      config: write,
      schema: { summary: 'Create a SIEM integration', tags, headers: idempotencyHeader, body: siemSchema },
    },
    async (request, reply) => {
      const id = `${prefix}${randomBytes(8).toString('hex')}`;
      return createPair(kind, pairs, request, reply, (writer) =>
        pairs.put(
          writer,
          request.actor,
          null,
          siemDocuments(id, request.body, null, Date.now()),
          siemPath(request.body),
        ),
      );
    },
  );

  app.put<{ Params: PairParams; Body: Body }>(
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
        const before = await pairOf(kind, writer, request.params.id);
        checkMatch(request, before, true);
        const documents = siemDocuments(request.params.id, request.body, before, Date.now());
        return pairs.put(writer, request.actor, before, documents, siemPath(request.body));
      });
      return sendPair(kind, reply, pair);
    },
  );

  app.patch<{ Params: PairParams; Body: Patch }>(
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
        const before = await pairOf(kind, writer, request.params.id);
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
      return sendPair(kind, reply, pair);
    },
  );
}
