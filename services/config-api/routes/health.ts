// Whether the API can do its work: it answers, and the database answered lately. Says nothing else to strangers.
import type { FastifyInstance } from 'fastify';
import type { Dependencies } from '../dependencies.ts';

export function healthRoutes(app: FastifyInstance, { keyring }: Pick<Dependencies, 'keyring'>): void {
  app.get(
    '/health',
    { config: { access: 'public' }, schema: { summary: 'Health', tags: ['system'], security: [] } },
    async (_request, reply) => {
      if (keyring.fresh) return { status: 'ok' };
      return reply.code(503).header('retry-after', '2').send({ status: 'unavailable' });
    },
  );
}
