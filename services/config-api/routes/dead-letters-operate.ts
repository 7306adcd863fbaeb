// What people do with dead letters: send them again, purge them, take a request back.
//
// Invariant: a request, its effect on the letters and its audit row commit together. Many are changed only by whoever was shown how many
// they are: `expected` repeats the number that the preview answered.
import { randomUUID } from 'node:crypto';
import {
  cancelJob,
  type Obstacle,
  purgeLetters,
  queueLetters,
  type Sorted,
  sortForPurge,
  sortForRedrive,
} from '@tocsin/adapters/postgres/dead-letter-desk.ts';
import { duplicateReasons, redriveObstacles } from '@tocsin/topologies/domain/dead-letters/redrive.ts';
import type { FastifyInstance } from 'fastify';
import type { Dependencies } from '../dependencies.ts';
import { ApiError, notFound, unprocessable } from '../errors.ts';
import { type LetterQuery, letterFilterOf, letterQuery } from '../letter-query.ts';
import { checkedLetterId, lettersUrl } from './dead-letters.ts';

/** Letters of one request. */
export const mostLetters = 1_000;
/** Sent in a second when the request does not say. */
const defaultPerSecond = 20;

interface Params {
  readonly id: string;
}
interface OneBody {
  readonly accept_duplicate?: boolean;
  readonly again?: boolean;
  readonly reason?: string;
}
interface ManyBody extends OneBody {
  readonly filter: LetterQuery;
  readonly limit: number;
  readonly dry_run?: boolean;
  readonly expected?: number;
  readonly per_second?: number;
}

const reason = { type: 'string', minLength: 1, maxLength: 1_024, description: 'Why, for the audit trail.' };
const acceptDuplicate = {
  type: 'boolean',
  description: 'Also those whose effect may have happened already.',
};
const object = (properties: object, required: readonly string[] = []) => ({
  type: 'object',
  additionalProperties: false,
  ...(required.length === 0 ? {} : { required }),
  properties,
});
const many = (properties: object) =>
  object(
    {
      filter: {
        ...object(letterQuery),
        minProperties: 1,
        description: 'As the query of GET /api/dead-letters; of state open unless it says otherwise.',
      },
      limit: { type: 'integer', minimum: 1, maximum: mostLetters, description: 'The oldest are taken.' },
      dry_run: { type: 'boolean', description: 'Only says how many it would be, and which are refused.' },
      expected: {
        type: 'integer',
        minimum: 0,
        description: '`matching` of the dry run; needed without dry_run.',
      },
      reason,
      ...properties,
    },
    ['filter', 'limit'],
  );

const texts: Readonly<Record<Obstacle, string>> = {
  ...redriveObstacles,
  ...duplicateReasons,
  superseded: 'the command failed again later: send the letter of its last round',
  state: 'it waits to be sent, was sent, or was purged',
};

export function deadLetterOperateRoutes(
  app: FastifyInstance,
  { store, db }: Pick<Dependencies, 'store' | 'db'>,
): void {
  const config = { access: 'write:dead-letters' } as const;
  const schema = (summary: string, body: object) => ({ summary, tags: ['dead letters'], body });
  const now = (): number => Date.now();

  app.post<{ Params: Params; Body: OneBody }>(
    `${lettersUrl}/:id/redrive`,
    {
      config,
      schema: schema(
        'Send a dead letter back to where it came from',
        object({
          accept_duplicate: acceptDuplicate,
          again: { type: 'boolean', description: 'Although it was sent from this letter before.' },
          reason,
        }),
      ),
    },
    async (request, reply) => {
      const { actor, body } = request;
      const id = checkedLetterId(request.params.id);
      const job = randomUUID();
      await store.write(actor, async (writer) => {
        const sorted = await sortForRedrive(
          writer.transaction,
          { filter: { id }, limit: 1 },
          {
            acceptDuplicate: body.accept_duplicate === true,
            now: now(),
            states: body.again === true ? ['open', 'redriven'] : ['open'],
          },
        );
        refuseOne(sorted);
        await queueLetters(writer.transaction, [id], { actor: actor.id, job, perSecond: mostLetters });
        await writer.audit({ verb: 'redrive', object: `dead-letter/${id}`, detail: { job, ...body } });
      });
      return reply.code(202).send({ id, state: 'queued', job });
    },
  );

  app.post<{ Body: ManyBody }>(
    `${lettersUrl}/redrive`,
    {
      config,
      schema: schema(
        'Send all dead letters that a search finds back to where they came from',
        many({
          accept_duplicate: acceptDuplicate,
          per_second: {
            type: 'integer',
            minimum: 1,
            maximum: mostLetters,
            description: `Default ${defaultPerSecond}; the API has a limit for all requests besides.`,
          },
        }),
      ),
    },
    async (request, reply) => {
      const { actor, body } = request;
      const selection = {
        filter: { state: 'open', ...letterFilterOf(body.filter) } as const,
        limit: body.limit,
      };
      const rules = {
        acceptDuplicate: body.accept_duplicate === true,
        now: now(),
        states: ['open', 'redriven'] as const,
      };
      if (body.dry_run === true) return previewOf(await sortForRedrive(db, selection, rules), body.limit);
      const job = randomUUID();
      const sorted = await store.write(actor, async (writer) => {
        const found = await sortForRedrive(writer.transaction, selection, rules);
        checkExpected(found, body);
        const by = { actor: actor.id, job, perSecond: body.per_second ?? defaultPerSecond };
        await queueLetters(writer.transaction, found.ids, by);
        const { filter, limit, reason: why, per_second, accept_duplicate } = body;
        const detail = { filter, limit, per_second, accept_duplicate, reason: why, ids: found.ids };
        await writer.audit({ verb: 'redrive', object: `dead-letters/${job}`, detail });
        return found;
      });
      return reply.code(202).send({ job, ...previewOf(sorted, body.limit), dry_run: false });
    },
  );

  app.post<{ Params: { job: string }; Body: object }>(
    `${lettersUrl}/jobs/:job/cancel`,
    { config, schema: schema('Take back what a request queued and what was not sent yet', object({})) },
    async (request) => {
      const { actor } = request;
      const { job } = request.params;
      if (!/^[0-9a-f-]{36}$/.test(job)) throw notFound();
      const cancelled = await store.write(actor, async (writer) => {
        const count = await cancelJob(writer.transaction, job, actor.id);
        if (count > 0)
          await writer.audit({ verb: 'cancel', object: `dead-letters/${job}`, detail: { count } });
        return count;
      });
      return { job, cancelled };
    },
  );

  app.post<{ Params: Params; Body: OneBody }>(
    `${lettersUrl}/:id/purge`,
    { config, schema: schema('Delete the bytes of a dead letter', object({ reason })) },
    async (request) => {
      const { actor, body } = request;
      const id = checkedLetterId(request.params.id);
      await store.write(actor, async (writer) => {
        refuseOne(await sortForPurge(writer.transaction, { filter: { id }, limit: 1 }));
        await purgeLetters(writer.transaction, [id], actor.id);
        await writer.audit({ verb: 'purge', object: `dead-letter/${id}`, detail: { ...body } });
      });
      return { id, state: 'purged' };
    },
  );

  app.post<{ Body: ManyBody }>(
    `${lettersUrl}/purge`,
    { config, schema: schema('Delete the bytes of all dead letters that a search finds', many({})) },
    async (request) => {
      const { actor, body } = request;
      const selection = {
        filter: { state: 'open', ...letterFilterOf(body.filter) } as const,
        limit: body.limit,
      };
      if (body.dry_run === true) return previewOf(await sortForPurge(db, selection), body.limit);
      const job = randomUUID();
      const sorted = await store.write(actor, async (writer) => {
        const found = await sortForPurge(writer.transaction, selection);
        checkExpected(found, body);
        await purgeLetters(writer.transaction, found.ids, actor.id);
        const { filter, limit, reason: why } = body;
        const detail = { filter, limit, reason: why, ids: found.ids };
        await writer.audit({ verb: 'purge', object: `dead-letters/${job}`, detail });
        return found;
      });
      return { job, ...previewOf(sorted, body.limit), dry_run: false };
    },
  );
}

function refuseOne({ matching, refused }: Sorted): void {
  if (matching === 0) throw notFound();
  const [first] = refused;
  if (first === undefined) return;
  const { because } = first;
  if (because === 'state') throw new ApiError(409, 'letter_state', `not possible: ${texts.state}`);
  if (because in duplicateReasons)
    throw unprocessable(
      [{ path: '/accept_duplicate', message: `must be true: ${texts[because]}` }],
      'duplicate_possible',
    );
  throw new ApiError(422, 'not_redrivable', `cannot be sent again: ${texts[because]}`);
}

function checkExpected({ matching }: Sorted, { expected }: ManyBody): void {
  if (expected === undefined)
    throw unprocessable([
      { path: '/expected', message: 'is required: the `matching` of the same request with dry_run' },
    ]);
  if (expected !== matching)
    throw new ApiError(
      409,
      'count_changed',
      `the search finds ${matching} dead letters now, not ${expected}`,
    );
}

/** How many there are, and what becomes of those within the limit. */
function previewOf({ matching, ids, refused }: Sorted, limit: number): Record<string, unknown> {
  const counts = new Map<Obstacle, number>();
  for (const { because } of refused) counts.set(because, (counts.get(because) ?? 0) + 1);
  return {
    dry_run: true,
    matching,
    more: matching > limit,
    count: ids.length,
    ids,
    refused: [...counts].map(([because, count]) => ({ because, count, text: texts[because] })),
  };
}
