// Webhooks as in the SIEM guide: create, list, read, change, delete, test, rotate the secret, let go on.
//
// Invariant: a webhook is a sink and a connection under its id and nothing else; secrets go in and never come out, except a secret that was made here, once.
import { randomBytes } from 'node:crypto';
import { keyOf } from '@tocsin/topologies/domain/delivery/sign.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ownSecretId, secretIssues } from '../connection-secrets.ts';
import type { Dependencies } from '../dependencies.ts';
import { unprocessable } from '../errors.ts';
import { type Filters, filterNotes } from '../event-filters.ts';
import { idempotencyHeader } from '../idempotency.ts';
import type { SinkCalls } from '../sink-calls.ts';
import { checkMatch, createSinkPairs, etagOf, type StoredPair } from '../sink-pairs.ts';
import {
  fieldsOf,
  shownWebhook,
  type WebhookBody,
  webhookDocuments,
  webhookFields,
  webhookPath,
} from '../webhook-body.ts';
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

const url = '/api/webhooks';
const prefix = 'wh-';
const tags = ['webhooks'];
const { write } = pairAccess;
const body = { type: 'object', additionalProperties: false, properties: webhookFields } as const;

const kind: PairKind = {
  url,
  prefix,
  tag: 'webhooks',
  what: 'webhook',
  isOurs: (sink) => sink.type === 'webhook' && sink.id.startsWith(prefix),
  shown: shownWebhook,
  notes: ({ sink }) => filterNotes((sink.document.filters ?? {}) as Filters),
};

/** The webhook of this id. Throws 404. */
export const webhookOf = (reader: Pick<Dependencies['store'], 'get'>, id: string): Promise<StoredPair> =>
  pairOf(kind, reader, id);

export function webhookRoutes(app: FastifyInstance, dependencies: Dependencies, calls: SinkCalls): void {
  const { vault } = dependencies;
  const pairs = createSinkPairs(dependencies);
  pairRoutes(app, kind, pairs, dependencies, async (id) => {
    const secret = await vault.describe(ownSecretId(id, 'hmac'));
    return secret === null ? {} : { secret_updated_at: secret.updatedAt.toISOString() };
  });
  pairTestRoute(app, kind, dependencies, calls);

  async function change(
    request: FastifyRequest<{ Params: PairParams }>,
    isRequired: boolean,
    bodyOf: (pair: StoredPair) => WebhookBody,
  ): Promise<StoredPair> {
    const { id } = request.params;
    return pairs.write(request.actor, async (writer) => {
      const before = await webhookOf(writer, id);
      checkMatch(request, before, isRequired);
      const documents = webhookDocuments(id, bodyOf(before), before, Date.now());
      return pairs.put(writer, request.actor, before, documents, webhookPath);
    });
  }

  app.post<{ Body: WebhookBody & { readonly id?: string } }>(
    url,
    {
      config: write,
      schema: {
        summary: 'Create a webhook',
        tags,
        headers: idempotencyHeader,
        body: {
          ...body,
          required: ['name', 'url', 'events'],
          properties: { id: { type: 'string', pattern: '^wh-[a-z0-9._-]{1,100}$' }, ...webhookFields },
        },
      },
    },
    async (request, reply) => {
      const { id = `${prefix}${randomBytes(8).toString('hex')}`, ...given } = request.body;
      return createPair(kind, pairs, request, reply, (writer) =>
        pairs.put(writer, request.actor, null, webhookDocuments(id, given, null, Date.now()), webhookPath),
      );
    },
  );

  app.put<{ Params: PairParams; Body: WebhookBody }>(
    `${url}/:id`,
    {
      config: write,
      schema: {
        summary: 'Replace a webhook; secret and headers stay where they are left out',
        tags,
        body: { ...body, required: ['name', 'url', 'events'] },
      },
    },
    async (request, reply) => sendPair(kind, reply, await change(request, true, () => request.body)),
  );

  app.patch<{ Params: PairParams; Body: WebhookBody }>(
    `${url}/:id`,
    { config: write, schema: { summary: 'Change some fields of a webhook', tags, body } },
    async (request, reply) =>
      sendPair(
        kind,
        reply,
        await change(request, false, (before) => ({ ...fieldsOf(before), ...request.body })),
      ),
  );

  app.post<{ Params: PairParams }>(
    `${url}/:id/resume`,
    { config: write, schema: { summary: 'Let a paused webhook try again', tags } },
    // Saved again it is opened anew, and what 410 closed with it.
    async (request, reply) => sendPair(kind, reply, await change(request, false, fieldsOf)),
  );

  app.post<{
    Params: PairParams;
    Body: { readonly secret?: string; readonly overlap_hours?: number } | null;
  }>(
    `${url}/:id/secret/rotate`,
    {
      config: write,
      schema: {
        summary: 'A new secret; the old one signs too for a while',
        tags,
        body: {
          type: 'object',
          additionalProperties: false,
          properties: {
            secret: {
              ...webhookFields.secret,
              type: 'string',
              description: 'Without it one is made and shown once.',
            },
            overlap_hours: { type: 'number', minimum: 0, maximum: 720, default: 24 },
          },
        },
      },
      preValidation: async (request) => {
        request.body ??= {};
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { secret, overlap_hours: overlap = 24 } = request.body ?? {};
      const issues = secret === undefined ? [] : secretIssues('/secret', secret);
      if (issues.length === 0 && secret !== undefined && keyOf(secret) === null)
        issues.push({
          path: '/secret',
          message: 'must have at least 16 bytes, as text or as whsec_ and base64',
        });
      if (issues.length > 0) throw unprocessable(issues);
      const made = secret ?? `whsec_${randomBytes(32).toString('base64')}`;
      const until = new Date(Date.now() + overlap * 3_600_000).toISOString();
      const pair = await pairs.write(request.actor, async (writer) => {
        const before = await webhookOf(writer, id);
        checkMatch(request, before, false);
        const ownId = ownSecretId(id, 'hmac');
        const version = await vault.put(writer.transaction, ownId, made, request.actor.id);
        const {
          hmac,
          hmac_previous: _,
          ...others
        } = (before.connection.document.secrets ?? {}) as Record<string, unknown>;
        const isKept = hmac !== undefined && overlap > 0;
        // The destination does not change, so the references may stay as they are; only versions move.
        const connection = {
          ...before.connection.document,
          secrets: {
            ...others,
            hmac: { secret: ownId, version },
            ...(isKept ? { hmac_previous: hmac } : {}),
          },
        };
        const { previous_until: __, ...params } = before.sink.document.params as Record<string, unknown>;
        const sink = {
          ...before.sink.document,
          params: { ...params, ...(isKept ? { previous_until: until } : {}) },
        };
        const stored = {
          connection: await writer.put(connection, before.connection.revision),
          sink: await writer.put(sink, before.sink.revision),
        };
        await writer.audit({ verb: 'rotate', object: `sink/${id}`, revision: stored.sink.revision });
        return stored;
      });
      return reply.header('etag', etagOf(pair)).send({
        data: { ...shownWebhook(pair), ...(secret === undefined ? { secret: made } : {}) },
      });
    },
  );
}
