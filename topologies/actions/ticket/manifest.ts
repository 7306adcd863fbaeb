// What the generic ticket action is: requests that an author writes for a ticket system that has no action of its own.
import type { JsonSchema } from '@tocsin/schemas/codecs/validate.ts';
import type { ActionManifest } from '../../domain/action/define-action.ts';
import { pairsParam } from '../../domain/action/path-template.ts';
import { dedupeParam, operationParam, refParam } from '../../domain/action/ticket/params.ts';

const pointer = (description: string): JsonSchema => ({
  type: 'string',
  maxLength: 512,
  pattern: '^(?:/(?:[^~/]|~[01])*)+$',
  description: `${description} JSON Pointer into the answer.`,
});

function request(
  method: 'GET' | 'POST' | 'PUT',
  more: Readonly<Record<string, JsonSchema>> = {},
): JsonSchema {
  return {
    type: 'object',
    additionalProperties: false,
    required: ['path', ...Object.keys(more).filter((name) => name !== 'url')],
    properties: {
      method: {
        enum: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
        default: method,
        description: 'HTTP method.',
      },
      path: {
        type: 'string',
        minLength: 1,
        maxLength: 2048,
        description:
          'Path below the host of the connection; a template whose tokens are percent-encoded. No query.',
      },
      params: { ...pairsParam('query parameter', 50), description: 'Query parameters in this order.' },
      body: { type: ['object', 'array'], description: 'JSON tree whose texts are templates.' },
      ok: {
        type: 'array',
        maxItems: 20,
        items: { type: 'integer', minimum: 200, maximum: 599 },
        description: 'Statuses that mean success besides 2xx.',
      },
      ...more,
    },
  };
}

const { properties, ...dedupe } = dedupeParam as JsonSchema & { properties: Record<string, JsonSchema> };
const { comment: _, ...dedupeProperties } = properties;

export const manifest: ActionManifest = {
  id: 'ticket',
  title: 'Ticket (any system)',
  summary:
    'Makes, updates, moves or comments a ticket in any system with a JSON API, by requests written as templates.',
  since: '0.1.0',
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      operation: operationParam,
      ref: refParam,
      create: {
        ...request('POST', {
          ref: pointer('Where the answer has the reference of the new ticket.'),
          url: pointer('Where the answer has its address, if it has one.'),
        }),
        description: 'Request that makes a ticket.',
      },
      update: { ...request('PUT'), description: 'Request that sets fields of the ticket {{ref}}.' },
      transition: {
        ...request('POST'),
        description: 'Request that moves the ticket {{ref}} to another state.',
      },
      comment: { ...request('POST'), description: 'Request that adds a comment to the ticket {{ref}}.' },
      find: {
        ...request('GET', {
          found: pointer(
            'Where the answer has the reference of the ticket that was found; nothing there means none.',
          ),
        }),
        description:
          'Request that finds the ticket with {{mark}}, also a closed one. Without it a command whose ticket may exist is held.',
      },
      find_open: {
        ...request('GET', {
          found: pointer('Where the answer has the reference of an open ticket; nothing there means none.'),
        }),
        description: 'Request that finds an open ticket with {{fingerprint}}, for dedupe.',
      },
      dedupe: { ...dedupe, properties: dedupeProperties },
    },
  },
  examples: [
    {
      title: 'A ticket of an ITSM system, found again by its external id',
      params: {
        create: {
          path: '/api/v2/tickets',
          body: { subject: '{{data.title}}', priority: '{{data.severity}}', external_id: '{{mark}}' },
          ref: '/ticket/id',
          url: '/ticket/url',
        },
        find: {
          path: '/api/v2/tickets',
          params: [{ name: 'external_id', value: '{{mark}}' }],
          found: '/tickets/0/id',
        },
      },
    },
    {
      title: 'Comment the ticket of an earlier step',
      params: {
        operation: 'comment',
        ref: '{{steps.ticket.outputs.key}}',
        comment: { path: '/api/v2/tickets/{{ref}}/notes', body: { text: 'Still there: {{data.title}}' } },
      },
    },
  ],
  outputs: {
    operation: 'What was done.',
    created: 'True when a ticket was made, false when one was there or was changed.',
    key: 'Key of the ticket, for later steps.',
    id: 'Id of the ticket.',
    url: 'Page of the ticket for people.',
  },
  failures: ['bad_response', 'missing_ref', 'not_found'],
  needs: ['http', 'clock'],
  connection: 'http',
  runOnce: 'all',
  defaultMode: 'each',
  idempotency: 'key',
  ledger: 'durable',
};
