// Incidents: which there are, what happened to each, and what people do to them.
//
// Invariant: a change, its line of history, its event and its audit row commit together.
import {
  changeIncident,
  type IncidentFilter,
  type IncidentRecord,
  nextStatuses,
} from '@tocsin/adapters/postgres/incident-desk.ts';
import type { Change, Edit } from '@tocsin/topologies/domain/incident/change.ts';
import { incidentIdPattern } from '@tocsin/topologies/domain/incident/incident.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Dependencies } from '../dependencies.ts';
import { badRequest, notFound } from '../errors.ts';
import { limitOf, pageOf, pageQuery } from '../paging.ts';
import { timeOf } from '../run-query.ts';

const url = '/api/incidents';
const text = { type: 'string', minLength: 1, maxLength: 256 } as const;
const time = { type: 'string', minLength: 4, maxLength: 40, description: 'RFC 3339.' } as const;

const filterQuery = {
  status: text,
  severity: text,
  assignee: { ...text, description: 'Who works on it.' },
  unassigned: { const: 'true', description: 'Nobody works on it.' },
  rule: { ...text, description: 'Id of the rule that made it.' },
  asset: { ...text, maxLength: 1024, description: 'Value by which the inventory finds its object.' },
  open: { enum: ['true', 'false'], description: 'Whether its status is none of the closed ones.' },
  created_after: time,
  created_before: time,
  q: { ...text, minLength: 2, description: 'Part of title or id.' },
} as const;

type Query = { readonly [name in keyof typeof filterQuery]?: string };
type Page = { readonly cursor?: string; readonly limit?: string };
interface Params {
  readonly id: string;
}

const comment = { type: 'string', minLength: 1, maxLength: 32_768, description: 'Markdown.' } as const;
const fieldMap = (description: string) => ({
  type: 'object',
  maxProperties: 50,
  propertyNames: { minLength: 1, maxLength: 128, pattern: '^[^{}/~]+$' },
  additionalProperties: {
    oneOf: [
      { type: ['string', 'number', 'boolean', 'null'], maxLength: 8_192 },
      { type: 'array', maxItems: 100, items: { type: ['string', 'number', 'boolean'], maxLength: 8_192 } },
    ],
  },
  description,
});

interface Body {
  readonly comment?: string;
  readonly status?: string;
  readonly assignee?: string | null;
}

/** What each route takes, and the change that it asks for. */
const verbs: readonly {
  readonly method: 'POST' | 'PATCH';
  readonly path: string;
  readonly summary: string;
  readonly required: readonly string[];
  readonly properties: Readonly<Record<string, unknown>>;
  changeOf(body: Body): Change;
}[] = [
  {
    method: 'POST',
    path: '/status',
    summary: 'Move an incident along its workflow',
    required: ['status'],
    properties: { status: { type: 'string', minLength: 1, maxLength: 64 }, comment },
    changeOf: ({ status = '' }) => ({ verb: 'status', status }),
  },
  {
    method: 'POST',
    path: '/assign',
    summary: 'Say who works on an incident; null for nobody',
    required: ['assignee'],
    properties: { assignee: { type: ['string', 'null'], minLength: 1, maxLength: 256 }, comment },
    changeOf: ({ assignee = null }) => ({ verb: 'assign', assignee }),
  },
  {
    method: 'POST',
    path: '/comments',
    summary: 'Comment an incident',
    required: ['comment'],
    properties: { comment },
    changeOf: () => ({ verb: 'comment' }),
  },
  {
    method: 'PATCH',
    path: '',
    summary: 'Edit fields of an incident; what is not mentioned stays',
    required: [],
    properties: {
      title: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[^\\u0000-\\u001f\\u007f]*$' },
      severity: { type: 'string', minLength: 1, maxLength: 64 },
      description: { type: 'string', maxLength: 65_536, description: 'Markdown.' },
      fields: fieldMap('Fields of its definitions; null empties one.'),
      additional_fields: fieldMap('Further fields; null removes one.'),
      comment,
    },
    changeOf: ({ comment: _, ...edit }) => ({ verb: 'edit', edit: edit as Edit }),
  },
];

export function incidentRoutes(
  app: FastifyInstance,
  { incidents, store, paging }: Pick<Dependencies, 'incidents' | 'store' | 'paging'>,
): void {
  const read = { access: 'read:incidents' } as const;
  const schema = (summary: string, more: object = {}) => ({ summary, tags: ['incidents'], ...more });
  const querystring = (properties: object) => ({
    querystring: { type: 'object', additionalProperties: false, properties },
  });

  async function known(id: string): Promise<IncidentRecord> {
    const incident = incidentIdPattern.test(id) ? await incidents.get(id) : null;
    if (incident === null) throw notFound();
    return incident;
  }

  app.get<{ Querystring: Query & Page }>(
    url,
    {
      config: read,
      schema: schema('Search incidents, newest first', querystring({ ...filterQuery, ...pageQuery })),
    },
    async (request) => {
      const { cursor, limit: _, ...query } = request.query;
      const list = `${url}/${JSON.stringify(Object.entries(query).sort())}`;
      const limit = limitOf(request.query);
      const [createdAt, id] = paging.decode(list, cursor) ?? [];
      const found = await incidents.list(filterOf(query), {
        limit: limit + 1,
        ...(createdAt === undefined || id === undefined
          ? {}
          : { before: { createdAt: new Date(createdAt), id } }),
      });
      return pageOf(found, limit, (last) => paging.encode(list, [last.created_at.toISOString(), last.id]));
    },
  );

  app.get<{ Params: Params }>(
    `${url}/:id`,
    { config: read, schema: schema('One incident') },
    async (request, reply) => sendIncident(reply, await known(request.params.id)),
  );

  app.get<{ Params: Params; Querystring: Page }>(
    `${url}/:id/history`,
    {
      config: read,
      schema: schema('Everything that happened to an incident, in order', querystring(pageQuery)),
    },
    async (request) => {
      const { id } = await known(request.params.id);
      const list = `${url}/${id}/history`;
      const limit = limitOf(request.query);
      const [after] = paging.decode(list, request.query.cursor) ?? [];
      const found = await incidents.history(id, {
        limit: limit + 1,
        ...(after === undefined ? {} : { after: Number(after) }),
      });
      return pageOf(found, limit, (last) => paging.encode(list, [String(last.version)]));
    },
  );

  for (const { method, path, summary, required, properties, changeOf } of verbs)
    app.route<{ Params: Params; Body: Body }>({
      method,
      url: `${url}/:id${path}`,
      config: { access: 'write:incidents' },
      schema: schema(summary, {
        headers: {
          type: 'object',
          properties: { 'if-match': { type: 'string', description: 'The ETag that was read: "<version>".' } },
        },
        body: {
          type: 'object',
          additionalProperties: false,
          ...(required.length === 0 ? { minProperties: 1 } : { required }),
          properties,
        },
      }),
      async handler(request, reply) {
        const { id } = request.params;
        if (!incidentIdPattern.test(id)) throw notFound();
        const { actor, body } = request;
        const expected = expectedVersion(request);
        const change = changeOf(body);
        const { incident } = await store.write(actor, async (writer) => {
          const applied = await changeIncident(writer.transaction, {
            id,
            actor: actor.id,
            change,
            ...(body.comment === undefined ? {} : { comment: body.comment }),
            ...(expected === undefined ? {} : { expected }),
          });
          if (applied.added)
            await writer.audit({
              verb: change.verb,
              object: `incident/${id}`,
              revision: applied.incident.version,
              detail: auditDetail(
                change,
                applied.changes.map(({ field }) => field),
                body.comment,
              ),
            });
          return applied;
        });
        return sendIncident(reply, incident);
      },
    });
}

/** What was done, without long texts: the history of the incident has them. */
function auditDetail(
  change: Change,
  fields: readonly string[],
  said: string | undefined,
): Record<string, unknown> {
  return {
    ...(change.verb === 'status' ? { status: change.status } : {}),
    ...(change.verb === 'assign' ? { assignee: change.assignee } : {}),
    ...(change.verb === 'edit' ? { fields } : {}),
    ...(said === undefined ? {} : { comment: said.slice(0, 1_024).toWellFormed() }),
  };
}

function filterOf({ open, unassigned, created_after, created_before, ...same }: Query): IncidentFilter {
  if (unassigned !== undefined && same.assignee !== undefined)
    throw badRequest([{ path: '/unassigned', message: 'cannot be together with assignee' }]);
  return {
    ...same,
    ...(unassigned === undefined ? {} : { assignee: null }),
    ...(open === undefined ? {} : { open: open === 'true' }),
    ...timeOf('created_after', created_after),
    ...timeOf('created_before', created_before),
  };
}

/** Anything that is not one of our tags matches no version. */
function expectedVersion(request: FastifyRequest): number | undefined {
  const given = request.headers['if-match'];
  if (given === undefined || given.trim() === '*') return undefined;
  return Number(/^"([1-9][0-9]{0,8})"$/.exec(given.trim())?.[1] ?? -1);
}

function sendIncident(reply: FastifyReply, incident: IncidentRecord): FastifyReply {
  const { severities, field_definitions, ...shown } = incident;
  const more = { severities, field_definitions, next_statuses: nextStatuses(incident) };
  return reply.header('etag', `"${incident.version}"`).send({ ...shown, ...more });
}
