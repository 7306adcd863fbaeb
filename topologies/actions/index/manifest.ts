// What the index action is: documents written to an index of Elasticsearch or OpenSearch, one bulk request per command.
import type { ActionManifest } from '../../domain/action/define-action.ts';

export const manifest: ActionManifest = {
  id: 'index',
  title: 'Search index',
  summary: 'Writes the event or the search results as documents to Elasticsearch or OpenSearch.',
  since: '0.1.0',
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['index'],
    properties: {
      index: {
        type: 'string',
        minLength: 1,
        maxLength: 512,
        description:
          'Name of the index, alias or data stream; a template. %{+YYYY.MM.dd} is the date of the event in UTC.',
      },
      suffix: {
        type: 'string',
        minLength: 1,
        maxLength: 512,
        description: 'Written behind the name with a -; a template, with dates as in index.',
      },
      operation: {
        enum: ['create', 'update'],
        default: 'create',
        description:
          'create adds a document for each command or row; update changes the one with the same id.',
      },
      id: {
        type: 'string',
        minLength: 1,
        maxLength: 1024,
        description: 'With update: id of the document; a template.',
      },
      key_fields: {
        type: 'array',
        minItems: 1,
        maxItems: 16,
        uniqueItems: true,
        items: { type: 'string', minLength: 1, maxLength: 256, pattern: '^[^{}]+$' },
        description: 'With update, instead of id: the id is a hash of the rule and these fields.',
      },
      version: {
        type: 'string',
        minLength: 1,
        maxLength: 512,
        description:
          'With update: the whole document is replaced unless a newer one is there. event_time, or a template of a whole number. Without it fields are merged.',
      },
      document: {
        type: 'object',
        description:
          'The document: a JSON tree whose texts are templates; a lone token keeps its type. Default: the event as it came, or the row.',
      },
      timestamp_field: {
        type: 'string',
        maxLength: 256,
        pattern: '^[^{}]*$',
        default: '@timestamp',
        description:
          'Field that gets the time of the event when the document has none; empty to add nothing.',
      },
    },
  },
  examples: [
    { title: 'The event in an index for each month', params: { index: 'tocsin-findings-%{+YYYY.MM}' } },
    {
      title: 'A document for each host, kept up to date',
      params: {
        index: 'hosts',
        operation: 'update',
        key_fields: ['host'],
        document: { host: '{{host}}', last_rule: '{{rule.name}}', count: '{{count}}' },
      },
    },
    {
      title: 'The newest state of a finding wins, whatever the order',
      params: {
        index: 'findings',
        suffix: '{{data.severity}}',
        operation: 'update',
        id: '{{data.finding_id}}',
        version: 'event_time',
      },
    },
  ],
  outputs: {
    written: 'How many documents were written.',
    already_there: 'How many an earlier attempt had written.',
    refused: 'How many the cluster refused while it took others.',
  },
  failures: ['bad_response', 'index_name', 'index_missing', 'index_mapping', 'index_rejected'],
  needs: ['http'],
  connection: 'http',
  runOnce: 'first',
  defaultMode: 'each',
  idempotency: 'key',
  ledger: 'fast',
};
