// What the PagerDuty action is: one alert event of the Events API v2 per command.
import type { ActionManifest } from '../../domain/action/define-action.ts';
import { linkParam, maxRowsParam } from '../../domain/action/notice-params.ts';
import { levels } from './severity.ts';

const text = (description: string, maxLength = 2048) =>
  ({ type: 'string', minLength: 1, maxLength, description }) as const;

export const manifest: ActionManifest = {
  id: 'pagerduty',
  title: 'PagerDuty alert',
  summary: 'Triggers, acknowledges or resolves an alert of PagerDuty, over its Events API v2.',
  since: '0.1.0',
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      event_action: {
        enum: ['trigger', 'acknowledge', 'resolve'],
        default: 'trigger',
        description: 'What happens to the alert. acknowledge and resolve take dedup_key and nothing else.',
      },
      dedup_key: text(
        'Which alert; a template that renders to at most 255 characters, for example {{data.finding_id}}. Required but for trigger, whose default is the command id: an alert of its own.',
      ),
      summary: text(
        'Title of the alert, cut at 1,024 characters; a template. Default: severity and title of the finding, or the name of the search.',
      ),
      source: text(
        'Affected system, preferably a host name; a template. Default: asset or host of the finding or row, else tocsin.',
      ),
      severity: text(
        'Severity; a template. Words of findings are mapped: critical, high = error, medium = warning, low and informational = info. Default: severity of the finding or row.',
        512,
      ),
      severities: {
        type: 'object',
        maxProperties: 20,
        propertyNames: { minLength: 1, maxLength: 64 },
        additionalProperties: { enum: [...levels] },
        description:
          'Other words, or other levels for those words: word in lower case to level of PagerDuty.',
      },
      default_severity: {
        enum: [...levels],
        default: 'error',
        description: 'Level when there is no severity or its word is not known.',
      },
      component: text('Part of the source that is affected; a template.'),
      group: text('Group of sources; a template.'),
      class: text('Kind of the event; a template. Default: type of the event.'),
      custom_details: {
        type: 'object',
        description:
          'Details: a JSON tree whose texts are templates; one token keeps the type of its value. Default: data of the event, fields of the row, or the rows.',
      },
      images: {
        type: 'array',
        minItems: 1,
        maxItems: 20,
        description: 'Images shown in the incident.',
        items: {
          type: 'object',
          additionalProperties: false,
          required: ['src'],
          properties: {
            src: text('Address of the image, https only; a template.'),
            href: text('Address that the image links to; a template.'),
            alt: text('Text instead of the image; a template.'),
          },
        },
      },
      client: text('Name of the sender as PagerDuty shows it; a template. Default: Tocsin.', 255),
      client_url: text('Address behind that name; a template.'),
      link: linkParam,
      max_rows: maxRowsParam,
    },
  },
  examples: [
    {
      title: 'An alert per finding; the same finding again is the same alert',
      params: { dedup_key: '{{data.finding_id}}' },
    },
    {
      title: 'Its end, for a rule over finding.status_changed',
      params: { event_action: 'resolve', dedup_key: '{{data.finding_id}}' },
    },
    {
      title: 'Details and levels of one’s own',
      params: {
        dedup_key: '{{data.asset.id}}/{{data.title}}',
        summary: '{{data.title}} on {{data.asset.name}}',
        group: 'production',
        severities: { high: 'critical' },
        custom_details: { cvss: '{{data.cvss}}', remediation: '{{data.remediation}}' },
      },
    },
  ],
  outputs: {
    status_code: 'Status of the answer.',
    dedup_key: 'Key of the alert, for acknowledge and resolve in later steps.',
  },
  failures: ['bad_response', 'invalid_body', 'too_large'],
  needs: ['http'],
  connection: 'http',
  runOnce: 'all',
  defaultMode: 'each',
  idempotency: 'key',
  ledger: 'fast',
};
