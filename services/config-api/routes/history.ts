// What actions did: newest first by action, and one command with all its attempts.
import type { FastifyInstance } from 'fastify';
import type { Dependencies } from '../dependencies.ts';
import { notFound } from '../errors.ts';
import { limitOf, pageOf, pageQuery } from '../paging.ts';
import { checkedId } from './documents.ts';

interface Query {
  readonly cursor?: string;
  readonly limit?: string;
  readonly status?: string;
}

const statuses = ['succeeded', 'retrying', 'failed', 'suppressed', 'held'];

export function historyRoutes(
  app: FastifyInstance,
  { history, store, paging }: Pick<Dependencies, 'history' | 'store' | 'paging'>,
): void {
  const config = { access: 'read:executions' } as const;
  app.get<{ Params: { id: string }; Querystring: Query }>(
    '/api/actions/:id/executions',
    {
      config,
      schema: {
        summary: 'History of an action, newest first',
        tags: ['history'],
        querystring: {
          type: 'object',
          additionalProperties: false,
          properties: { ...pageQuery, status: { enum: statuses } },
        },
      },
    },
    async (request) => {
      const action = checkedId(request.params.id);
      const { status } = request.query;
      const list = `executions/${action}/${status ?? ''}`;
      const limit = limitOf(request.query);
      const [createdAt, commandId] = paging.decode(list, request.query.cursor) ?? [];
      const found = await history.list({
        action,
        limit: limit + 1,
        ...(status === undefined ? {} : { status }),
        ...(createdAt === undefined || commandId === undefined
          ? {}
          : { before: { createdAt: new Date(createdAt), commandId } }),
      });
      // History outlives its action: only what never was is unknown.
      if (found.length === 0 && (await store.revisions('action', action, { limit: 1 })).length === 0)
        throw notFound();
      return pageOf(found, limit, (last) =>
        paging.encode(list, [last.created_at.toISOString(), last.command_id]),
      );
    },
  );
  app.get<{ Params: { command_id: string } }>(
    '/api/executions/:command_id',
    { config, schema: { summary: 'One command with its attempts', tags: ['history'] } },
    async (request) => {
      const id = request.params.command_id;
      const found = /^[0-9a-f]{32}$/.test(id) ? await history.get(id) : null;
      if (found === null) throw notFound();
      return found;
    },
  );
}
