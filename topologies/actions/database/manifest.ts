// What the database action is: rows written to one table of a connection, in one transaction per command.
import type { ActionManifest } from '../../domain/action/define-action.ts';

const columnName = { type: 'string', minLength: 1, maxLength: 128 };

export const manifest: ActionManifest = {
  id: 'database',
  title: 'Database rows',
  summary: 'Writes the event or the search results into a table of PostgreSQL, MySQL, MariaDB or SQL Server.',
  since: '0.1.0',
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['table'],
    properties: {
      table: {
        type: 'string',
        minLength: 1,
        maxLength: 257,
        description: 'table or schema.table, as the database writes it; not a template.',
      },
      operation: {
        enum: ['insert', 'update', 'upsert'],
        default: 'insert',
        description:
          'insert adds rows; update changes those with the same key_columns; upsert does the one or the other.',
      },
      columns: {
        description:
          'from_row: every field of the event data or row is a column. Or an object: column to value; texts are templates, {"$": "path"} is the value at a path, a lone token keeps its type.',
        default: 'from_row',
        oneOf: [
          { const: 'from_row' },
          {
            type: 'object',
            minProperties: 1,
            maxProperties: 500,
            propertyNames: columnName,
          },
        ],
      },
      key_columns: {
        type: 'array',
        minItems: 1,
        maxItems: 16,
        uniqueItems: true,
        items: columnName,
        description: 'Columns that say which row is meant; needed for update and upsert.',
      },
      command_id_column: {
        ...columnName,
        description:
          'Text column that takes the id of the command. With insert it needs a unique index, and then a repeat adds nothing.',
      },
      unknown_columns: {
        enum: ['drop', 'refuse'],
        default: 'drop',
        description:
          'With from_row: a field that is no column of the table is left out with a warning, or fails the command.',
      },
    },
  },
  examples: [
    { title: 'Every field of the row that the table has', params: { table: 'soc.failed_logins' } },
    {
      title: 'Chosen columns; a repeat of the command adds nothing',
      params: {
        table: 'findings',
        columns: {
          title: '{{data.title}}',
          cvss: { $: 'data.cvss' },
          seen_at: '{{timestamp}}',
          raw: { $: 'data' },
        },
        command_id_column: 'command_id',
      },
    },
    {
      title: 'One row for each host, kept up to date',
      params: {
        table: 'hosts',
        operation: 'upsert',
        columns: { host: '{{host}}', last_seen: '{{_time}}', rule: '{{rule.name}}' },
        key_columns: ['host'],
      },
    },
  ],
  outputs: {
    table: 'The table.',
    operation: 'insert, update or upsert.',
    rows: 'How many rows were written; of an update, how many were changed.',
  },
  needs: ['database'],
  connection: 'database',
  runOnce: 'first',
  defaultMode: 'each',
  idempotency: 'none',
  ledger: 'durable',
};
