// What the e-mail action is: one message per command, or per distinct recipient when results are merged.
import type { ActionManifest } from '../../domain/action/define-action.ts';
import { recipientsSchema } from '../../domain/mail/recipients.ts';

export const manifest: ActionManifest = {
  id: 'email',
  title: 'E-mail',
  summary: 'Sends a message with the event or the search results over the SMTP server of its connection.',
  since: '0.1.0',
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['to', 'subject'],
    properties: {
      to: recipientsSchema(
        'Recipients: a list, or one text with commas. Each is one plain mailbox after its tokens are filled in; at most 100.',
      ),
      subject: {
        type: 'string',
        maxLength: 2048,
        description: 'Subject; a template. One line, cut at 255 characters.',
      },
      body: {
        type: 'string',
        default: '',
        description: 'Message; a template. HTML when `html` is true, else plain text.',
      },
      html: {
        type: 'boolean',
        default: false,
        description: 'The body is HTML; a text part is generated beside it.',
      },
      sign: {
        type: 'string',
        maxLength: 4096,
        description: 'Signature at the end of the message; a template.',
      },
      enable_time: {
        type: 'boolean',
        default: false,
        description: 'Adds the time of sending to the message.',
      },
      enable_table: {
        type: 'boolean',
        default: false,
        description: 'Adds a table of the results to the message.',
      },
      send_file: { type: 'boolean', default: false, description: 'Attaches the results as a file.' },
      file_name: {
        type: 'string',
        maxLength: 255,
        default: 'results.csv',
        description: 'Name of the file; a template.',
      },
      file_type: { enum: ['csv', 'json'], default: 'csv', description: 'Format of the file.' },
      merge: {
        type: 'boolean',
        default: false,
        description:
          'Renders recipients and body for every result and joins them into one message per distinct recipient. Run once wins over merge.',
      },
      is_once: {
        type: 'boolean',
        description: 'Same as `run_once` of the action: one message about all results.',
      },
      headers: {
        type: 'array',
        maxItems: 50,
        description:
          'Additional headers. Headers that belong to the message itself are reserved and refused.',
        items: {
          type: 'object',
          additionalProperties: false,
          required: ['name', 'values'],
          properties: {
            name: { type: 'string', minLength: 1, maxLength: 256, description: 'Header name.' },
            values: {
              type: 'array',
              minItems: 1,
              maxItems: 100,
              items: { type: 'string', maxLength: 2048 },
              description: 'One line of this header for every value; templates.',
            },
          },
        },
      },
    },
  },
  examples: [
    {
      title: 'Alert about a finding',
      params: {
        to: 'soc@example.com',
        subject: '[{{data.severity}}] {{data.title}}',
        body: 'Asset: {{data.asset.name}}\nScore: {{data.cvss}}\n\n{{data.description}}',
        sign: 'Security operations',
        enable_time: true,
      },
    },
    {
      title: 'All results of a search in one message, with a table and a file',
      params: {
        to: ['soc@example.com', 'it@example.com'],
        subject: '{{search.name}}: {{row_count}} results',
        body: '<p>Results of <b>{{search.name}}</b>:</p>',
        html: true,
        enable_table: true,
        send_file: true,
        file_name: '{{search.name}}.csv',
        is_once: true,
        headers: [{ name: 'X-Priority', values: ['1'] }],
      },
    },
    {
      title: 'One message for each owner, with the rows that are theirs',
      params: {
        to: '{{owner.mail}}',
        subject: 'Your hosts',
        body: '{{host}} was seen at {{source.ip}}',
        merge: true,
      },
    },
  ],
  outputs: {
    messages: 'Per message its Message-ID and recipients.',
    undelivered: 'Addresses that the server refused while it took others.',
  },
  failures: ['invalid_recipient', 'reserved_header', 'too_large'],
  needs: ['mail'],
  connection: 'smtp',
  runOnce: 'all',
  defaultMode: 'each',
  idempotency: 'key',
  ledger: 'durable',
};
