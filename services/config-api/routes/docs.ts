// OpenAPI at /docs/json, made from the schemas that validate, and pages to read and try it at /docs.
import fastifySwagger from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { recursiveKinds, sharedDefinitions } from '../document-schemas.ts';

export async function serveDocs(app: FastifyInstance): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Tocsin configuration API',
        version: '1',
        description:
          'Rules, actions, connections, sinks, lists, playbooks, API keys and the history of actions. Bodies are checked strictly: unknown fields and wrong types are refused, and errors name the field.',
      },
      components: {
        // References of bodies and answers lead here once the document is made.
        schemas: Object.assign({}, ...recursiveKinds.map((kind) => sharedDefinitions(kind).definitions)),
        securitySchemes: { key: { type: 'http', scheme: 'bearer', bearerFormat: 'tocsin_<id>_<secret>' } },
      },
      security: [{ key: [] }],
    },
  });
  await app.register(fastifySwaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    uiConfig: { docExpansion: 'none' },
  });
}
