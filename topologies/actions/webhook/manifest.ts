// What the webhook action is: one HTTP request per command to the host of its connection.
import type { ActionManifest } from '../../domain/action/define-action.ts';
import { pairsParam } from '../../domain/action/path-template.ts';

export const manifest: ActionManifest = {
  id: 'webhook',
  title: 'Webhook',
  summary: 'Sends an HTTP request with the event or the search results to another system.',
  since: '0.1.0',
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      method: {
        enum: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
        default: 'POST',
        description: 'HTTP method. GET never has a body.',
      },
      path: {
        type: 'string',
        maxLength: 2048,
        default: '/',
        description:
          'Path below the host of the connection; a template whose tokens are percent-encoded. No query.',
      },
      params: {
        ...pairsParam('query parameter', 100),
        description: 'Query parameters in this order; a name may occur more than once.',
      },
      headers: {
        ...pairsParam('header', 50, "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"),
        description: 'Request headers. Headers of the connection itself and of the signature cannot be set.',
      },
      body: {
        description:
          'Text is a template; an object or a list is a JSON tree whose texts are templates. Default: the event as it came, the row, or in mode all {rows, row_count, ...}.',
      },
      content_type: {
        type: 'string',
        maxLength: 128,
        pattern: '^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+( *; *[A-Za-z0-9_-]+=[A-Za-z0-9_."-]+)*$',
        default: 'application/json',
        description: 'Content type of the body. It decides how tokens of a text body are escaped.',
      },
      transform: {
        enum: ['none', 'splunk_hec'],
        default: 'none',
        description: 'splunk_hec wraps the default body in an HTTP Event Collector envelope.',
      },
      splunk: {
        type: 'object',
        additionalProperties: false,
        description: 'Members of the envelope for splunk_hec.',
        properties: {
          index: { type: 'string', minLength: 1, maxLength: 128 },
          source: { type: 'string', minLength: 1, maxLength: 256, default: 's4e' },
          sourcetype: { type: 'string', minLength: 1, maxLength: 256, default: '_json' },
        },
      },
      sha256_signature: {
        type: 'boolean',
        default: false,
        description:
          'Also send X-S4E-Signature: sha256=<hex HMAC of the body>, for receivers that expect it.',
      },
    },
  },
  examples: [
    { title: 'Post the event as it came', params: { path: '/api/events' } },
    {
      title: 'A JSON body of one’s own; a leaf that is one token keeps its type',
      params: {
        path: '/hooks/{{data.asset.id}}',
        body: { text: 'New finding: {{data.title}}', severity: '{{data.severity}}', score: '{{data.cvss}}' },
      },
    },
    {
      title: 'Query parameters and headers, no body',
      params: {
        method: 'GET',
        path: '/block',
        params: [
          { name: 'ip', value: '{{source.ip}}' },
          { name: 'reason', value: '{{rule.name}}' },
        ],
        headers: [{ name: 'User-Agent', value: 'tocsin' }],
      },
    },
    {
      title: 'Splunk HTTP Event Collector',
      params: { path: '/services/collector/event', transform: 'splunk_hec', splunk: { index: 'security' } },
    },
  ],
  outputs: {
    status_code: 'Status of the answer.',
  },
  failures: ['invalid_body'],
  needs: ['http'],
  connection: 'http',
  runOnce: 'first',
  defaultMode: 'each',
  idempotency: 'key',
  ledger: 'fast',
};
