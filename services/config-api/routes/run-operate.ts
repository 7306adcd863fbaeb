// One verb for many runs: those that a search finds.
import type { RunInput } from '@tocsin/schemas/types.ts';
import type { FastifyInstance } from 'fastify';
import type { Dependencies } from '../dependencies.ts';
import type { RunInputs } from '../run-inputs.ts';
import { filterOf, type RunQuery, runQuery } from '../run-query.ts';

/** Runs of one request: their inputs go to the log together. */
export const mostRuns = 1_000;

interface Body {
  readonly verb: 'retry' | 'cancel';
  readonly filter: RunQuery;
  readonly dry_run?: boolean;
  readonly limit?: number;
  readonly reason?: string;
}

const body = {
  type: 'object',
  additionalProperties: false,
  required: ['verb', 'filter'],
  properties: {
    verb: { enum: ['retry', 'cancel'], description: 'retry takes runs with an incident only.' },
    filter: {
      type: 'object',
      additionalProperties: false,
      minProperties: 1,
      properties: runQuery,
      description: 'As the query of GET /api/runs; runs that are over are never taken.',
    },
    dry_run: { type: 'boolean', description: 'Only says which runs it would be.' },
    limit: { type: 'integer', minimum: 1, maximum: mostRuns, description: 'Default 100.' },
    reason: { type: 'string', maxLength: 4096, description: 'With cancel.' },
  },
} as const;

export function runOperateRoutes(
  app: FastifyInstance,
  { runs }: Pick<Dependencies, 'runs'>,
  inputs: RunInputs,
): void {
  app.post<{ Body: Body }>(
    '/api/runs/operate',
    {
      config: { access: 'write:runs' },
      schema: { summary: 'Retry or cancel all runs that a search finds', tags: ['runs'], body },
    },
    async (request, reply) => {
      const { actor } = request;
      const { verb, filter, dry_run: dryRun = false, limit = 100, reason } = request.body;
      const wanted = filterOf(filter);
      const found = await runs.list(
        { ...wanted, live: true, ...(verb === 'retry' ? { status: ['incident'] } : {}) },
        { limit: limit + 1 },
      );
      const { status } = wanted;
      // A search for another status than that of incidents finds nothing to retry.
      const fitting = verb === 'retry' && status !== undefined && !status.includes('incident') ? [] : found;
      const keys = fitting.slice(0, limit).map((run) => run.key);
      const answer = { verb, dry_run: dryRun, count: keys.length, more: fitting.length > limit, keys };
      if (dryRun || keys.length === 0) return answer;
      const input = (
        verb === 'retry'
          ? { kind: verb, by: actor.id }
          : { kind: verb, by: actor.id, ...(reason === undefined ? {} : { reason }) }
      ) as RunInput;
      const detail = { verb, filter, keys, ...(reason === undefined ? {} : { reason }) };
      await inputs.send(
        actor,
        { verb: 'operate', object: 'run/*', detail },
        keys.map((key) => ({ key, input })),
      );
      return reply.code(202).send(answer);
    },
  );
}
