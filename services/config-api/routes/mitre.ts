// What was recorded of ATT&CK techniques: the records, the layers, and each layer as the ATT&CK Navigator reads it.
import { incidentIdPattern } from '@tocsin/topologies/domain/incident/incident.ts';
import { navigatorLayer } from '@tocsin/topologies/domain/mitre/navigator-layer.ts';
import { layerPattern } from '@tocsin/topologies/domain/mitre/record.ts';
import {
  attackDomain,
  attackVersion,
  techniqueOf,
  techniquePattern,
} from '@tocsin/topologies/domain/mitre/techniques.ts';
import type { FastifyInstance } from 'fastify';
import type { Dependencies } from '../dependencies.ts';
import { notFound } from '../errors.ts';
import { limitOf, pageOf, pageQuery } from '../paging.ts';
import { timeOf } from '../run-query.ts';

const url = '/api/mitre';
const time = { type: 'string', minLength: 4, maxLength: 40, description: 'RFC 3339.' } as const;

interface Page {
  readonly cursor?: string;
  readonly limit?: string;
}

export function mitreRoutes(
  app: FastifyInstance,
  { mitre, paging }: Pick<Dependencies, 'mitre' | 'paging'>,
): void {
  const config = { access: 'read:mitre' } as const;
  const schema = (summary: string, properties: object) => ({
    summary,
    tags: ['mitre'],
    querystring: { type: 'object', additionalProperties: false, properties },
  });

  app.get<{ Querystring: Page & { layer?: string; incident?: string; technique?: string } }>(
    `${url}/records`,
    {
      config,
      schema: schema('Search records of techniques, newest first', {
        layer: { type: 'string', pattern: layerPattern },
        incident: { type: 'string', pattern: incidentIdPattern.source },
        technique: { type: 'string', pattern: techniquePattern.source },
        ...pageQuery,
      }),
    },
    async (request) => {
      const { cursor, limit: _, ...filter } = request.query;
      const list = `${url}/records/${JSON.stringify(Object.entries(filter).sort())}`;
      const limit = limitOf(request.query);
      const [at, commandId] = paging.decode(list, cursor) ?? [];
      const found = await mitre.records(filter, {
        limit: limit + 1,
        ...(at === undefined || commandId === undefined ? {} : { before: { at: new Date(at), commandId } }),
      });
      return pageOf(found, limit, (last) => paging.encode(list, [last.at.toISOString(), last.command_id]));
    },
  );

  app.get<{ Querystring: Page }>(
    `${url}/layers`,
    { config, schema: schema('Layers that something was recorded for', pageQuery) },
    async (request) => {
      const list = `${url}/layers`;
      const limit = limitOf(request.query);
      const [after] = paging.decode(list, request.query.cursor) ?? [];
      const found = await mitre.layers({ limit: limit + 1, ...(after === undefined ? {} : { after }) });
      return pageOf(found, limit, (last) => paging.encode(list, [last.id]));
    },
  );

  app.get<{ Params: { id: string }; Querystring: { after?: string; before?: string } }>(
    `${url}/layers/:id`,
    {
      config,
      schema: schema('A layer as the ATT&CK Navigator reads it, format 4.5', { after: time, before: time }),
    },
    async (request, reply) => {
      const { id } = request.params;
      if (!new RegExp(layerPattern).test(id)) throw notFound();
      const { after, before } = request.query;
      const techniques = await mitre.techniques(id, {
        ...timeOf('after', after),
        ...timeOf('before', before),
      });
      const [known] = techniques.length > 0 ? [true] : await mitre.records({ layer: id }, { limit: 1 });
      if (known === undefined) throw notFound();
      // The pattern of an id leaves nothing that a file name could not hold.
      reply.header('content-disposition', `attachment; filename="${id}.json"`);
      return navigatorLayer({
        id,
        attackVersion,
        domain: attackDomain,
        techniques,
        nameOf: (technique) => techniqueOf(technique)?.name ?? null,
      });
    },
  );
}
