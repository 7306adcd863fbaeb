// A check of a connection, made by the workers of the actions: with their secrets, from their place in the network. This service reads no
// secret and opens nothing.
import { randomBytes } from 'node:crypto';
import type { ConnectionCheck } from '@tocsin/schemas/types.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import type { FastifyInstance } from 'fastify';
import { awaitAnswer, createCallLimit } from '../call-limit.ts';
import type { Dependencies } from '../dependencies.ts';
import { notFound } from '../errors.ts';
import { checkedId } from './documents.ts';

export function connectionTestRoutes(
  app: FastifyInstance,
  { store, producer, checks }: Pick<Dependencies, 'store' | 'producer' | 'checks'>,
  waitMs: number,
): void {
  const take = createCallLimit();
  app.post<{ Params: { readonly id: string } }>(
    '/api/connections/:id/test',
    {
      // Not for those who only read: what answers where is information about an internal network.
      config: { access: 'write:connections' },
      schema: {
        summary: 'Whether the workers of the actions reach the destination and are let in',
        description: '200 also when they are not; 202 when no worker has answered; 429 after five a minute.',
        tags: ['connections'],
      },
    },
    async ({ params, actor }, reply) => {
      const connection = checkedId(params.id);
      const stored = await store.get('connection', connection);
      if (stored === null) throw notFound();
      const at = Date.now();
      take(connection, at);
      const id = randomBytes(16).toString('hex');
      const { revision } = stored;
      const value: ConnectionCheck = { v: 1, id, connection, revision, at, by: actor.id };
      // Before it happens: nothing is opened without a row.
      await store.write(actor, (writer) =>
        writer.audit({ verb: 'test', object: `connection/${connection}`, detail: { request: id } }),
      );
      await producer.send([
        { topic: topics.connectionChecks.name, key: connection, value: JSON.stringify(value) },
      ]);
      const found = await awaitAnswer(() => checks.ofRequest(id), at + waitMs);
      if (found !== null) return { request: id, revision, ...found };
      reply.code(202);
      return { ok: null, request: id, revision, detail: 'no worker of the actions has answered' };
    },
  );
}
