// Starts a playbook by hand: one run for one Idempotency-Key, with the revision that is published now.
import { createHash, randomBytes } from 'node:crypto';
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { StartInput } from '@tocsin/schemas/types.ts';
import { runLimits } from '@tocsin/topologies/domain/playbooks/limits.ts';
import type { FastifyInstance } from 'fastify';
import { createGrantCheck, grantReader } from '../check-grants.ts';
import type { Dependencies } from '../dependencies.ts';
import { ApiError, notFound, unprocessable } from '../errors.ts';
import { idempotencyHeader, idempotencyOf, onceOutside } from '../idempotency.ts';
import type { RunInputs } from '../run-inputs.ts';
import { checkedId } from './documents.ts';

interface Body {
  readonly event?: Readonly<Record<string, unknown>>;
  readonly asset?: { readonly id: string; readonly name?: string };
  readonly params?: Readonly<Record<string, unknown>>;
  readonly dry_run?: boolean;
}

const body = {
  type: 'object',
  additionalProperties: false,
  properties: {
    event: { type: 'object', description: 'The event envelope that the run is about.' },
    asset: {
      type: 'object',
      additionalProperties: false,
      required: ['id'],
      properties: {
        id: { type: 'string', minLength: 1, maxLength: 256 },
        name: { type: 'string', minLength: 1, maxLength: 256 },
      },
      description: 'Instead of an event: the asset that the run is about.',
    },
    params: { type: 'object', description: 'What the playbook sees as params.' },
    dry_run: { type: 'boolean', description: 'Commands are rendered and checked, nothing is sent.' },
  },
} as const;

/** The same actor and Idempotency-Key give the same key. */
function runKeyOf(actor: string, playbook: string, key: string | undefined): string {
  if (key === undefined) return randomBytes(16).toString('hex');
  const hash = createHash('sha256');
  for (const field of ['api-run-v1', actor, playbook, key])
    hash.update(`${Buffer.byteLength(field)}:${field}`);
  return hash.digest('hex').slice(0, 32);
}

export function runStartRoutes(
  app: FastifyInstance,
  {
    store,
    db,
    pepper,
    playbookHead,
    catalogue,
  }: Pick<Dependencies, 'store' | 'db' | 'pepper' | 'playbookHead' | 'catalogue'>,
  inputs: RunInputs,
): void {
  const grants = createGrantCheck(catalogue);
  app.post<{ Params: { id: string }; Body: Body }>(
    '/api/playbooks/:id/run',
    {
      config: { access: 'write:runs' },
      schema: { summary: 'Start a run of a playbook', tags: ['runs'], headers: idempotencyHeader, body },
    },
    async (request, reply) => {
      const playbook = checkedId(request.params.id);
      const { actor } = request;
      const event = eventOf(request.body);
      const { params, dry_run: dryRun } = request.body;
      const result = await onceOutside(store, request, pepper, async () => {
        const head = await playbookHead(playbook);
        if (head === null) {
          if ((await store.get('playbook', playbook)) === null) throw notFound();
          throw new ApiError(
            409,
            'draft',
            'the newest revision is a draft: switch the playbook on to publish it',
          );
        }
        await grants.start(actor, playbook, grantReader(store, db));
        const key = runKeyOf(actor.id, playbook, idempotencyOf(request, pepper)?.key);
        const input: StartInput = {
          kind: 'start',
          playbook,
          revision: head.revision,
          event,
          source: {
            id: `manual/${key}`,
            kind: 'event',
            ...(typeof event['event'] === 'string' ? { event: event['event'] } : {}),
            topic: 'api',
            partition: 0,
            offset: 0,
          },
          by: actor.id,
          ...(typeof event['tenant'] === 'string' ? { tenant: event['tenant'] } : {}),
          ...(params === undefined ? {} : { params }),
          ...(dryRun === true ? { dry_run: true } : {}),
        };
        const detail = { playbook, ...(dryRun === true ? { dry_run: true } : {}) };
        await inputs.send(actor, { verb: 'start', object: `run/${key}`, revision: head.revision, detail }, [
          { key, input },
        ]);
        return {
          status: 202,
          body: { key, playbook, revision: head.revision, dry_run: dryRun === true, number: null },
        };
      });
      const { key } = JSON.parse(result.body) as { key: string };
      reply.code(result.status).header('location', `/api/runs/${key}`);
      if (result.replayed) reply.header('idempotent-replayed', 'true');
      return reply.type('application/json; charset=utf-8').send(result.body);
    },
  );
}

/** The event of the run; an empty object without one. Throws 422. */
function eventOf({ event, asset, params }: Body): Record<string, unknown> {
  if (event !== undefined && asset !== undefined)
    throw unprocessable([{ path: '/asset', message: 'give either event or asset' }]);
  const issues = event === undefined ? [] : checkDocument('envelope.json', event);
  if (issues.length > 0)
    throw unprocessable(issues.map(({ path, message }) => ({ path: `/event${path}`, message })));
  const about = event ?? (asset === undefined ? {} : { event: 'asset', data: { asset } });
  const bytes = Buffer.byteLength(JSON.stringify([about, params ?? {}]));
  if (bytes > runLimits.contextBytes)
    throw unprocessable([
      { path: '', message: `event and params must have at most ${runLimits.contextBytes} bytes together` },
    ]);
  return { ...about };
}
