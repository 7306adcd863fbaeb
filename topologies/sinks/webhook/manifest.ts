// The webhook sink as data: parameters, defaults, limits.
import type { SinkManifest } from '../../domain/sink/define-sink.ts';

export type Signature = 'standard' | 'github' | 's4e';

export interface WebhookSinkParams {
  readonly path?: string;
  readonly headers?: readonly { readonly name: string; readonly value: string }[];
  readonly secret_headers?: readonly string[];
  readonly transform?: 'none' | 'splunk_hec' | 'elasticsearch';
  readonly splunk?: {
    readonly index?: string;
    readonly source?: string;
    readonly sourcetype?: string;
    readonly host?: string;
  };
  readonly elasticsearch?: { readonly index?: string };
  readonly signatures?: readonly Signature[];
  readonly previous_until?: string;
  readonly not_found?: 'pause' | 'dead_letter';
  readonly max_attempts?: number;
  readonly pause_after_ms?: number;
  readonly pause_after_failures?: number;
  readonly max_event_bytes?: number;
}

export const defaultPause = { afterMs: 300_000, afterFailures: 10 } as const;
export const defaultAttempts = 20;

const headerName = { type: 'string', pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$" } as const;
const text = (maxLength: number) => ({ type: 'string', minLength: 1, maxLength }) as const;

export const manifest: SinkManifest = {
  id: 'webhook',
  title: 'Webhook',
  summary:
    'Posts every event to an address, signed, one event to a request, or as Splunk or Elasticsearch want it.',
  since: '0.1.0',
  needs: ['http'],
  connection: 'http',
  batch: { inFlight: 8 },
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      path: {
        type: 'string',
        pattern: '^/[^?#\\\\\\s]*$',
        maxLength: 2048,
        default: '/',
        description:
          'Path, after the base path of the connection. secrets.secret_path of the connection, which may have a query, stands in its place.',
        examples: ['/api/events'],
      },
      headers: {
        type: 'array',
        maxItems: 50,
        items: {
          type: 'object',
          additionalProperties: false,
          required: ['name', 'value'],
          properties: { name: headerName, value: { type: 'string', maxLength: 4096 } },
        },
        description: 'Further headers that everybody may read.',
        examples: [[{ name: 'X-Team', value: 'blue' }]],
      },
      secret_headers: {
        type: 'array',
        maxItems: 50,
        uniqueItems: true,
        items: headerName,
        description:
          'Names of further headers whose values are in secrets.headers of the connection, a JSON object.',
        examples: [['Authorization']],
      },
      transform: {
        enum: ['none', 'splunk_hec', 'elasticsearch'],
        default: 'none',
        description:
          'none: the event as it is. splunk_hec: the envelope of the HTTP Event Collector. elasticsearch: one document where the path ends with /_doc, many where it ends with /_bulk.',
      },
      splunk: {
        type: 'object',
        additionalProperties: false,
        properties: { index: text(80), source: text(256), sourcetype: text(256), host: text(253) },
        description:
          'Members of the envelope of splunk_hec; without it source is s4e and sourcetype is _json.',
        examples: [{ index: 'security' }],
      },
      elasticsearch: {
        type: 'object',
        additionalProperties: false,
        properties: { index: text(512) },
        description:
          'Index of a path that names none, /_bulk; s4e-events-%{+YYYY.MM} without it, by the UTC time of the event.',
        examples: [{ index: 's4e-events-%{+YYYY.MM.dd}' }],
      },
      signatures: {
        type: 'array',
        maxItems: 3,
        uniqueItems: true,
        items: { enum: ['standard', 'github', 's4e'] },
        default: ['standard'],
        description:
          'Signatures where secrets.hmac is set: webhook-signature of Standard Webhooks, X-Hub-Signature-256 as GitHub sends it, X-S4E-Signature, a hash of the body like the one before.',
      },
      previous_until: {
        type: 'string',
        maxLength: 64,
        description: 'Until when secrets.hmac_previous signs too, RFC 3339; for ever without it.',
        examples: ['2026-05-01T00:00:00Z'],
      },
      not_found: {
        enum: ['pause', 'dead_letter'],
        default: 'pause',
        description: 'What 404 means: the address is wrong, or the receiver does not want the event.',
      },
      max_attempts: {
        type: 'integer',
        minimum: 1,
        maximum: 1000,
        default: defaultAttempts,
        description:
          'An event that was answered with a server error this often, while others were taken, goes to the dead letters.',
      },
      pause_after_ms: {
        type: 'integer',
        minimum: 1000,
        maximum: 604_800_000,
        default: defaultPause.afterMs,
        description:
          'Together with pause_after_failures: the sink pauses when nothing was taken for so long.',
      },
      pause_after_failures: {
        type: 'integer',
        minimum: 1,
        maximum: 100_000,
        default: defaultPause.afterFailures,
        description:
          'Together with pause_after_ms: and so many requests in a row failed. It goes on when the receiver takes an event again.',
      },
      max_event_bytes: {
        type: 'integer',
        minimum: 1024,
        maximum: 5_000_000,
        default: 1_048_576,
        description: 'Larger events go to the dead letters before they are sent.',
      },
    },
  },
  examples: [
    { title: 'Signed, to a SIEM', params: { path: '/api/events' } },
    {
      title: 'To Splunk, with the token in a header',
      params: {
        path: '/services/collector/event',
        transform: 'splunk_hec',
        splunk: { index: 'security' },
        secret_headers: ['Authorization'],
      },
    },
    {
      title: 'To Elasticsearch, as documents',
      params: { path: '/s4e-events/_doc', transform: 'elasticsearch' },
    },
  ],
};
