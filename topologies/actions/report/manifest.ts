// What the report action is: a document about the run and its finding, mailed or left in a folder of the worker.
import type { ActionManifest } from '../../domain/action/define-action.ts';
import { recipientsSchema } from '../../domain/mail/recipients.ts';

/** One of `values`, or several. */
const oneOrMore = (values: readonly string[], description: string, standard: string) => ({
  description,
  default: standard,
  oneOf: [
    { enum: values },
    { type: 'array', minItems: 1, maxItems: values.length, uniqueItems: true, items: { enum: values } },
  ],
});

export const manifest: ActionManifest = {
  id: 'report',
  title: 'Report',
  summary:
    'Makes a report about the run of a playbook and its finding, or about an event or search results, as HTML, CSV or JSON, and mails or stores it.',
  since: '0.1.0',
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      title: {
        type: 'string',
        maxLength: 1024,
        description: 'Title; a template. Without it the name of the playbook, rule or action.',
      },
      format: oneOrMore(
        ['html', 'csv', 'json'],
        'html, csv, json, or a list of them; each is a file of its own.',
        'html',
      ),
      deliver: oneOrMore(
        ['store', 'mail'],
        'store: into the report folder of the worker. mail: over the SMTP connection of the action. Or both.',
        'store',
      ),
      file_name: {
        type: 'string',
        maxLength: 255,
        default: 'report',
        description:
          'First part of the file name; a template. The command id and the ending follow; anything but letters, digits, `.`, `_` and `-` becomes `-`.',
      },
      to: recipientsSchema(
        'With mail: recipients, a list or one text with commas; templates. Each is one plain mailbox; at most 100.',
      ),
      subject: {
        type: 'string',
        maxLength: 2048,
        description: 'With mail: subject; a template. Without it the title.',
      },
      attach: { type: 'boolean', default: true, description: 'With mail: the files are attached.' },
      inline: {
        type: 'boolean',
        default: false,
        description: 'With mail: the HTML report is the message itself.',
      },
    },
  },
  examples: [
    {
      title: 'A page in the report folder',
      params: { title: 'Critical finding response: {{finding.title}}', format: 'html' },
    },
    {
      title: 'Mail with the page as the message and a table and the data attached',
      params: {
        title: 'Response to {{finding.title}}',
        format: ['html', 'csv', 'json'],
        deliver: 'mail',
        to: ['compliance@example.com', '{{finding.owner.mail}}'],
        subject: 'Report: {{finding.title}}',
        inline: true,
      },
    },
    {
      title: 'Stored and mailed',
      params: {
        deliver: ['store', 'mail'],
        to: 'soc@example.com',
        file_name: '{{finding.finding_id}}',
      },
    },
  ],
  outputs: {
    sha256: 'SHA-256 of the page, in hex.',
    bytes: 'Size of the page.',
    files: 'Names, sizes and digests of the files written.',
    message_id: 'Message-ID of the mail.',
    accepted: 'How many recipients the mail server took.',
  },
  failures: ['invalid_recipient', 'too_large'],
  needs: ['mail', 'files'],
  connection: 'smtp',
  runOnce: 'all',
  defaultMode: 'all',
  idempotency: 'key',
  runContext: 'whole',
  ledger: 'durable',
};
