// Secrets by name, write-only: nothing about a value ever comes back, not even its length.
import type { FastifyInstance } from 'fastify';
import { isOwnSecretId, secretIssues } from '../connection-secrets.ts';
import type { Dependencies, SecretFacts } from '../dependencies.ts';
import { ApiError, notFound, unprocessable } from '../errors.ts';
import { checkedId } from './documents.ts';

const body = {
  type: 'object',
  additionalProperties: false,
  required: ['value'],
  properties: { value: { type: 'string', description: 'One line, or PEM.' } },
} as const;

export function secretRoutes(
  app: FastifyInstance,
  { store, vault, readOnly }: Pick<Dependencies, 'store' | 'vault' | 'readOnly'>,
): void {
  app.get<{ Params: { id: string } }>(
    '/api/secrets/:id',
    { config: { access: 'read:secrets' }, schema: { summary: 'Whether a secret is set', tags: ['secrets'] } },
    async (request) => {
      const facts = await vault.describe(checkedId(request.params.id));
      if (facts === null) throw notFound();
      return shown(facts);
    },
  );
  app.put<{ Params: { id: string }; Body: { value: string } }>(
    '/api/secrets/:id',
    { config: { access: 'write:secrets' }, schema: { summary: 'Set a secret', tags: ['secrets'], body } },
    async (request) => {
      if (readOnly !== null) throw new ApiError(409, 'config_dir', readOnly);
      const id = checkedId(request.params.id);
      // Through the connection, so that its document names the new version and its destination is looked at.
      if (isOwnSecretId(id))
        throw unprocessable([{ path: '/id', message: 'belongs to a connection; set it there' }]);
      const issues = secretIssues('/value', request.body.value);
      if (issues.length > 0) throw unprocessable(issues);
      await store.write(request.actor, async (writer) => {
        const version = await vault.put(writer.transaction, id, request.body.value, request.actor.id);
        await writer.audit({ verb: 'set', object: `secret/${id}`, revision: version });
      });
      const facts = await vault.describe(id);
      if (facts === null) throw notFound();
      return shown(facts);
    },
  );
}

function shown(facts: SecretFacts): Record<string, unknown> {
  return {
    set: true,
    version: facts.version,
    updated_at: facts.updatedAt.toISOString(),
    updated_by: facts.updatedBy,
  };
}
