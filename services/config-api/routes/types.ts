// Which action and sink types there are, with the schemas of their parameters.
import type { FastifyInstance } from 'fastify';
import type { Dependencies } from '../dependencies.ts';

export function typeRoutes(app: FastifyInstance, { catalogue }: Pick<Dependencies, 'catalogue'>): void {
  const list = (types: Readonly<Record<string, { readonly manifest: object }>>) => ({
    items: Object.values(types).map(({ manifest }) => manifest),
  });
  app.get(
    '/api/action-types',
    { config: { access: 'read:types' }, schema: { summary: 'Action types', tags: ['types'] } },
    async () => list(catalogue.actions),
  );
  app.get(
    '/api/sink-types',
    { config: { access: 'read:types' }, schema: { summary: 'Sink types', tags: ['types'] } },
    async () => list(catalogue.sinks),
  );
}
