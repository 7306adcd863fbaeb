// Rules, actions, connections, sinks, lists and playbooks: the same routes for all of them.
import { randomBytes } from 'node:crypto';
import {
  type ConfigWriter,
  type Document,
  type Kind,
  type Revision,
  resourceOf,
  type StoredDocument,
} from '@tocsin/adapters/postgres/config-store.ts';
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { configKinds } from '@tocsin/topologies/domain/config/config-table.ts';
import { lintRule } from '@tocsin/topologies/domain/rules/lint/lint.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { createDocumentCheck } from '../check-document.ts';
import { createGrantCheck, grantReader } from '../check-grants.ts';
import { storeConnectionSecrets } from '../connection-secrets.ts';
import type { Dependencies } from '../dependencies.ts';
import { bodySchema, sharedDefinitions, storedSchema } from '../document-schemas.ts';
import { ApiError, badRequest, notFound, unprocessable } from '../errors.ts';
import { idempotencyHeader, once } from '../idempotency.ts';
import { maxBodyBytes, maxListBytes } from '../json-body.ts';
import { limitOf, pageOf, pageQuery } from '../paging.ts';

type Query = { readonly cursor?: string; readonly limit?: string };
type Params = { readonly id: string };
type Body = Readonly<Record<string, unknown>>;

const idPattern = /^[a-z0-9][a-z0-9._-]{0,127}$/;
const querySchema = { type: 'object', additionalProperties: false, properties: pageQuery } as const;

const warningsSchema = {
  type: 'array',
  description:
    'After a write: what is suspicious in the rule, see docs/rules.md; what keeps a playbook that is switched off from running.',
  items: {
    type: 'object',
    properties: {
      path: { type: 'string', description: 'JSON Pointer into the document.' },
      message: { type: 'string' },
      severity: { enum: ['warning', 'info'] },
      code: { type: 'string' },
      because: { type: 'string', description: 'The place that says the same or more.' },
    },
  },
};

/** 404 for what cannot be an id: the same answer as for one that does not exist. */
export function checkedId(id: string): string {
  if (!idPattern.test(id)) throw notFound();
  return id;
}

export function documentRoutes(app: FastifyInstance, dependencies: Dependencies): void {
  for (const kind of configKinds) kindRoutes(app, kind, dependencies);
}

function kindRoutes(app: FastifyInstance, kind: Kind, dependencies: Dependencies): void {
  const { store, paging, pepper, vault, catalogue, readOnly } = dependencies;
  const resource = resourceOf[kind];
  const check = createDocumentCheck(catalogue);
  const grants = createGrantCheck(catalogue);
  const url = `/api/${resource}`;
  const read = { access: `read:${resource}` } as const;
  const write = { access: `write:${resource}` } as const;
  const bodyLimit = kind === 'list' ? maxListBytes : maxBodyBytes;
  const answer = {
    type: 'object',
    properties: {
      revision: { type: 'integer' },
      updated_at: { type: 'string', description: 'RFC 3339.' },
      updated_by: { type: 'string' },
      document: storedSchema(kind),
      ...(kind === 'rule' || kind === 'playbook' ? { warnings: warningsSchema } : {}),
    },
    ...sharedDefinitions(kind),
  };
  const schema = (summary: string, more: object = {}) => ({ summary, tags: [resource], ...more });

  const refuseWrites = async (): Promise<void> => {
    if (readOnly !== null) throw new ApiError(409, 'config_dir', readOnly);
  };

  async function put(
    writer: ConfigWriter,
    request: FastifyRequest,
    given: Document,
    expected: number | 'absent',
  ): Promise<Written> {
    const before = (await writer.get(kind, given.id))?.document ?? null;
    if (before !== null && expected === 'absent')
      throw new ApiError(409, 'exists', `${kind} ${given.id} exists already`);
    if (before === null && expected !== 'absent') throw notFound();
    if (before !== null && 'type' in before && before.type !== given.type)
      throw unprocessable([{ path: '/type', message: 'cannot change; make a new one under another id' }]);
    const document =
      kind === 'connection'
        ? await storeConnectionSecrets(given, before, request.actor, (id, value) =>
            vault.put(writer.transaction, id, value, request.actor.id),
          )
        : given;
    const needed = await grants.save(request.actor, document, grantReader(writer, writer.transaction));
    const draft = await check(document, writer, request.actor.id);
    return { stored: await writer.put(document, expected, needed), draft };
  }

  app.get<{ Querystring: Query }>(
    url,
    { config: read, schema: schema(`List ${resource}`, { querystring: querySchema }) },
    async (request) => {
      const limit = limitOf(request.query);
      const [after] = paging.decode(url, request.query.cursor) ?? [];
      const found = await store.list(kind, { ...(after === undefined ? {} : { after }), limit: limit + 1 });
      const page = pageOf(found, limit, (last) => paging.encode(url, [last.document.id]));
      return { ...page, items: page.items.map(shown) };
    },
  );

  app.post<{ Body: Body }>(
    url,
    {
      bodyLimit,
      config: write,
      preValidation: refuseWrites,
      schema: schema(`Create one of ${resource}`, {
        headers: idempotencyHeader,
        body: bodySchema(kind),
        response: { 201: { ...answer, description: 'Created' } },
      }),
    },
    async (request, reply) => {
      const id =
        typeof request.body.id === 'string' ? request.body.id : `${kind}-${randomBytes(8).toString('hex')}`;
      const document = { ...request.body, kind, id } as Document;
      const result = await store.write(request.actor, (writer) =>
        once(writer, request, pepper, async () => ({
          status: 201,
          body: answerOf(await put(writer, request, document, 'absent')),
        })),
      );
      const { revision, document: stored } = JSON.parse(result.body) as {
        revision: number;
        document: { id: string };
      };
      reply.code(result.status).header('etag', `"${revision}"`).header('location', `${url}/${stored.id}`);
      if (result.replayed) reply.header('idempotent-replayed', 'true');
      return reply.type('application/json; charset=utf-8').send(result.body);
    },
  );

  app.get<{ Params: Params }>(
    `${url}/:id`,
    {
      config: read,
      schema: schema(`Get one of ${resource}`, { response: { 200: { ...answer, description: 'Found' } } }),
    },
    async (request, reply) => {
      const found = await store.get(kind, checkedId(request.params.id));
      if (found === null) throw notFound();
      return sendDocument(reply, found);
    },
  );

  app.put<{ Params: Params; Body: Body }>(
    `${url}/:id`,
    {
      bodyLimit,
      config: write,
      preValidation: refuseWrites,
      schema: schema(`Replace one of ${resource}, or create it with If-None-Match: *`, {
        headers: {
          type: 'object',
          properties: {
            'if-match': { type: 'string', description: 'The ETag that was read: "<revision>".' },
            'if-none-match': { type: 'string', description: '* to create.' },
          },
        },
        body: bodySchema(kind),
        response: { 200: { ...answer, description: 'Replaced' } },
      }),
    },
    async (request, reply) => {
      const id = checkedId(request.params.id);
      if (request.body.id !== undefined && request.body.id !== id)
        throw badRequest([{ path: '/id', message: `must be ${id}, as in the path` }]);
      const expected = expectedRevision(request);
      const document = { ...request.body, kind, id } as Document;
      const written = await store
        .write(request.actor, (writer) => put(writer, request, document, expected))
        .catch((error: unknown) => {
          // RFC 9110 section 13.1.2: the condition failed.
          if (error instanceof ApiError && error.code === 'exists')
            throw new ApiError(412, 'stale', error.message);
          throw error;
        });
      if (expected === 'absent') reply.code(201);
      return reply.header('etag', `"${written.stored.revision}"`).send(answerOf(written));
    },
  );

  app.delete<{ Params: Params }>(
    `${url}/:id`,
    { config: write, preValidation: refuseWrites, schema: schema(`Delete one of ${resource}`) },
    async (request, reply) => {
      const id = checkedId(request.params.id);
      const given = request.headers['if-match'];
      const expected = given === undefined ? undefined : revisionOf(given);
      await store.write(request.actor, (writer) => writer.remove(kind, id, expected));
      return reply.code(204).send();
    },
  );

  app.get<{ Params: Params; Querystring: Query }>(
    `${url}/:id/revisions`,
    {
      config: read,
      schema: schema(`Revisions of one of ${resource}, newest first`, { querystring: querySchema }),
    },
    async (request) => {
      const id = checkedId(request.params.id);
      const list = `${url}/${id}/revisions`;
      const limit = limitOf(request.query);
      const [before] = paging.decode(list, request.query.cursor) ?? [];
      const found = await store.revisions(kind, id, {
        ...(before === undefined ? {} : { before: Number(before) }),
        limit: limit + 1,
      });
      if (found.length === 0 && before === undefined) throw notFound();
      const page = pageOf(found, limit, (last) => paging.encode(list, [String(last.revision)]));
      return { ...page, items: page.items.map(shownRevision) };
    },
  );
}

function shown(stored: StoredDocument): Record<string, unknown> {
  return {
    revision: stored.revision,
    updated_at: stored.updatedAt.toISOString(),
    updated_by: stored.updatedBy,
    document: stored.document,
  };
}

interface Written {
  readonly stored: StoredDocument;
  /** What keeps a draft from running. */
  readonly draft: readonly Issue[];
}

/** What a write answers: for a rule also what the linter says about it, for a playbook what makes it a draft. */
function answerOf({ stored, draft }: Written): Record<string, unknown> {
  const { document } = stored;
  if (document.kind === 'rule') return { ...shown(stored), warnings: lintRule(document) };
  if (document.kind !== 'playbook') return shown(stored);
  const warnings = draft.map((issue) => ({ ...issue, severity: 'warning', code: 'draft' }));
  return { ...shown(stored), warnings };
}

function shownRevision(revision: Revision): Record<string, unknown> {
  return {
    revision: revision.revision,
    created_at: revision.createdAt.toISOString(),
    created_by: revision.createdBy,
    deleted: revision.document === null,
    document: revision.document,
  };
}

function sendDocument(reply: FastifyReply, stored: StoredDocument): FastifyReply {
  return reply.header('etag', `"${stored.revision}"`).send(shown(stored));
}

function expectedRevision(request: FastifyRequest): number | 'absent' {
  if (request.headers['if-none-match']?.trim() === '*') return 'absent';
  const given = request.headers['if-match'];
  if (given === undefined)
    throw new ApiError(
      428,
      'precondition_required',
      'send If-Match with the ETag that was read, or If-None-Match: *',
    );
  return revisionOf(given);
}

// Anything that is not one of our tags matches no revision.
function revisionOf(tag: string): number {
  return Number(/^"([1-9][0-9]{0,8})"$/.exec(tag.trim())?.[1] ?? -1);
}
