// Risk of objects: the total of one at a moment, the scores behind it, and the objects with most.
import type { RiskMoment } from '@tocsin/adapters/postgres/risk-search.ts';
import { objectTypePattern, type RiskObject, riskLimits } from '@tocsin/topologies/domain/risk/score.ts';
import type { FastifyInstance } from 'fastify';
import type { Dependencies } from '../dependencies.ts';
import { limitOf, pageOf, pageQuery } from '../paging.ts';
import { timeOf } from '../run-query.ts';

const type = { type: 'string', pattern: objectTypePattern, description: 'Such as user or system.' } as const;
const momentQuery = {
  at: { type: 'string', minLength: 4, maxLength: 40, description: 'RFC 3339; now without it.' },
  scoring_type: { type: 'string', minLength: 1, maxLength: 64, description: 'Only scores of this type.' },
  tenant: { type: 'string', minLength: 1, maxLength: 128, description: 'Objects of this tenant.' },
} as const;
const objectQuery = {
  type: 'string',
  pattern: `${objectTypePattern.slice(0, -1)}:.{1,${riskLimits.id}}$`,
  description: '<type>:<id>, such as user:alice.',
} as const;

type Moment = { readonly [name in keyof typeof momentQuery]?: string };

export function riskRoutes(
  app: FastifyInstance,
  { risks, paging }: Pick<Dependencies, 'risks' | 'paging'>,
): void {
  const config = { access: 'read:risk' } as const;
  const schema = (summary: string, properties: object, required: readonly string[] = []) => ({
    summary,
    tags: ['risk'],
    querystring: { type: 'object', additionalProperties: false, required, properties },
  });

  app.get<{ Querystring: Moment & { object: string; cursor?: string; limit?: string } }>(
    '/api/risk',
    {
      config,
      schema: schema(
        'What an object has at a moment, and the scores that count, newest first',
        { object: objectQuery, ...momentQuery, ...pageQuery },
        ['object'],
      ),
    },
    async (request) => {
      const { cursor, object: key, ...query } = request.query;
      const list = `risk/${JSON.stringify([key, query.at, query.scoring_type, query.tenant])}`;
      const [at, scoredAt, commandId] = paging.decode(list, cursor) ?? [];
      // The pages of one list are of one moment.
      const moment = momentOf(query, at);
      const object = objectOf(key);
      const limit = limitOf(query);
      const [risk, found] = await Promise.all([
        risks.total(object, moment),
        risks.scores(object, moment, {
          limit: limit + 1,
          ...(scoredAt === undefined || commandId === undefined
            ? {}
            : { before: { scoredAt: new Date(scoredAt), commandId } }),
        }),
      ]);
      const page = pageOf(found, limit, (last) =>
        paging.encode(list, [moment.at.toISOString(), last.scored_at.toISOString(), last.command_id]),
      );
      return { ...risk, at: moment.at, ...page };
    },
  );

  app.get<{ Querystring: Moment & { type?: string; limit?: string } }>(
    '/api/risk/top',
    {
      config,
      schema: schema('Objects with most risk, first', { type, ...momentQuery, limit: pageQuery.limit }),
    },
    async (request) => {
      const { type: wanted, ...query } = request.query;
      const moment = momentOf(query);
      const items = await risks.top(moment, {
        limit: limitOf(query),
        ...(wanted === undefined ? {} : { type: wanted }),
      });
      return { at: moment.at, items };
    },
  );
}

function momentOf({ at, scoring_type, tenant = '' }: Moment, known?: string): RiskMoment {
  const { at: given } = timeOf('at', at);
  return {
    tenant,
    at: known === undefined ? (given ?? new Date()) : new Date(known),
    ...(scoring_type === undefined ? {} : { scoring_type }),
  };
}

function objectOf(key: string): RiskObject {
  const colon = key.indexOf(':');
  return { type: key.slice(0, colon), id: key.slice(colon + 1) };
}
