// API keys: made by administrators, shown once, revoked at once.
import { allScopes, roles } from '@tocsin/adapters/postgres/access.ts';
import { type ApiKey, createApiKey, listApiKeys, revokeApiKey } from '@tocsin/adapters/postgres/api-keys.ts';
import { grantOf } from '@tocsin/topologies/domain/action/grants.ts';
import type { FastifyInstance } from 'fastify';
import { privilegedOf } from '../check-grants.ts';
import type { Dependencies } from '../dependencies.ts';
import { badRequest, notFound } from '../errors.ts';
import { limitOf, pageOf, pageQuery } from '../paging.ts';

const url = '/api/keys';
const day = 24 * 3_600_000;

interface NewKey {
  readonly name: string;
  readonly role?: keyof typeof roles;
  readonly scopes?: readonly string[];
  readonly expires_in_days?: number;
  readonly user?: string;
  readonly roles?: readonly string[];
}

/** People and their roles as gates of playbooks name them. Lower case alone: `Alice` and `alice` are one person. */
export const userName = {
  type: 'string',
  pattern: '^[a-z0-9][a-z0-9._@-]{0,127}$',
  description: 'A person, as in user:<name> of an approval gate.',
} as const;

const body = {
  type: 'object',
  additionalProperties: false,
  required: ['name'],
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 128 },
    role: { enum: Object.keys(roles), description: 'A set of scopes; instead of scopes.' },
    scopes: {
      type: 'array',
      minItems: 1,
      maxItems: 50,
      uniqueItems: true,
      items: { type: 'string', maxLength: 128 },
      description: `${allScopes.join(', ')}, and action:<type> of a privileged action type.`,
    },
    user: userName,
    roles: {
      type: 'array',
      maxItems: 50,
      uniqueItems: true,
      items: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$' },
      description:
        'Roles of the user at approval gates, as in role:<role>; `role` is what the key may do here.',
    },
    expires_in_days: { type: 'integer', minimum: 1, maximum: 365, description: 'Default 90.' },
  },
};

export function keyRoutes(
  app: FastifyInstance,
  {
    store,
    db,
    pepper,
    keyring,
    paging,
    catalogue,
  }: Pick<Dependencies, 'store' | 'db' | 'pepper' | 'keyring' | 'paging' | 'catalogue'>,
): void {
  const grantable = new Set<string>([...allScopes, ...[...privilegedOf(catalogue)].map(grantOf)]);
  const config = { access: 'admin' } as const;
  app.get<{ Querystring: { cursor?: string; limit?: string } }>(
    url,
    {
      config,
      schema: {
        summary: 'List API keys',
        tags: ['keys'],
        querystring: { type: 'object', additionalProperties: false, properties: pageQuery },
      },
    },
    async (request) => {
      const limit = limitOf(request.query);
      const [after] = paging.decode(url, request.query.cursor) ?? [];
      const found = await listApiKeys(db, { ...(after === undefined ? {} : { after }), limit: limit + 1 });
      const page = pageOf(found, limit, (last) => paging.encode(url, [last.id]));
      return { ...page, items: page.items.map(shown) };
    },
  );
  app.post<{ Body: NewKey }>(
    url,
    { config, schema: { summary: 'Create an API key; its text is shown only here', tags: ['keys'], body } },
    async (request, reply) => {
      // A replayed answer would need the text of the key to be stored.
      if (request.headers['idempotency-key'] !== undefined)
        throw badRequest([{ path: '', message: 'Idempotency-Key is not possible here' }]);
      const { name, role, scopes, expires_in_days: days = 90, user, roles: userRoles } = request.body;
      if ((role === undefined) === (scopes === undefined))
        throw badRequest([{ path: '/role', message: 'give either role or scopes' }]);
      if (userRoles !== undefined && user === undefined)
        throw badRequest([{ path: '/roles', message: 'are those of a user: give user too' }]);
      const unknown = (scopes ?? []).flatMap((scope, index) =>
        grantable.has(scope)
          ? []
          : [{ path: `/scopes/${index}`, message: `${scope} is none of ${[...grantable].join(', ')}` }],
      );
      if (unknown.length > 0) throw badRequest(unknown);
      const granted = role === undefined ? (scopes ?? []) : roles[role];
      const created = await store.write(request.actor, async (writer) => {
        const made = await createApiKey(writer.transaction, pepper, {
          name,
          scopes: granted,
          expiresAt: new Date(Date.now() + days * day),
          createdBy: request.actor.id,
          ...(user === undefined ? {} : { user, roles: userRoles ?? [] }),
        });
        await writer.audit({
          verb: 'create',
          object: `key/${made.key.id}`,
          detail: { name, scopes: granted, ...(user === undefined ? {} : { user, roles: userRoles ?? [] }) },
        });
        return made;
      });
      await keyring.refresh();
      return reply
        .code(201)
        .header('location', `${url}/${created.key.id}`)
        .send({ ...shown(created.key), key: created.text });
    },
  );
  app.delete<{ Params: { id: string } }>(
    `${url}/:id`,
    { config, schema: { summary: 'Revoke an API key', tags: ['keys'] } },
    async (request, reply) => {
      const { id } = request.params;
      if (!/^[a-z0-9]{8}$/.test(id)) throw notFound();
      const known = await store.write(request.actor, async (writer) => {
        const revoked = await revokeApiKey(writer.transaction, id);
        if (revoked) await writer.audit({ verb: 'revoke', object: `key/${id}` });
        return revoked;
      });
      if (!known) throw notFound();
      await keyring.refresh();
      return reply.code(204).send();
    },
  );
}

function shown(key: ApiKey): Record<string, unknown> {
  return {
    id: key.id,
    name: key.name,
    scopes: key.scopes,
    user: key.user,
    roles: key.roles,
    created_at: key.createdAt.toISOString(),
    created_by: key.createdBy,
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
    last_used_at: key.lastUsedAt?.toISOString() ?? null,
  };
}
