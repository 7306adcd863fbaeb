// The types of SIEM integrations as data: what their settings are called, and which of them a sink has under the same name.
import { compileCheck } from '@tocsin/schemas/codecs/validate.ts';
import type { SinkManifest } from '@tocsin/topologies/domain/sink/define-sink.ts';
import { manifest as elasticsearch } from '@tocsin/topologies/sinks/elasticsearch/manifest.ts';
import { manifest as splunkHec } from '@tocsin/topologies/sinks/splunk-hec/manifest.ts';
import { manifest as syslog } from '@tocsin/topologies/sinks/syslog/manifest.ts';
import { eventsSchema, filtersSchema } from './event-filters.ts';
import { webhookFields } from './webhook-body.ts';

const url = webhookFields.url;
const secret = { type: 'string', minLength: 1, maxLength: 4096, description: 'Never returned.' };
const tls = {
  type: 'object',
  additionalProperties: false,
  properties: {
    ca_cert: { type: 'string', maxLength: 90_000, description: 'PEM, or base64 of PEM or DER.' },
    verify: { type: 'boolean' },
    servername: { type: 'string', maxLength: 253 },
  },
};
const common = { tls, allow_cidrs: webhookFields.allow_cidrs, timeout_ms: webhookFields.timeout_ms };
const overHttp = { url, allow_insecure: webhookFields.allow_insecure, ...common };

/** Parameters of the sink that are settings under the same name. */
export const paramsOf = {
  syslog: [
    'format',
    'facility',
    'profile',
    'header',
    'hostname',
    'app_name',
    'vendor',
    'product',
    'version',
    'fields',
    'sd_id',
    'delimiter',
  ],
  'splunk-hec': ['index', 'sourcetype', 'source', 'host', 'gzip'],
  elasticsearch: ['index', 'pipeline', 'gzip'],
} as const;
const pick = (manifest: SinkManifest, names: readonly string[]) =>
  Object.fromEntries(
    names.map((name) => [name, (manifest.params.properties as Record<string, unknown>)[name]]),
  );

const syslogConfig = {
  required: ['host'],
  properties: {
    protocol: { enum: ['udp', 'tcp', 'tcp_tls', 'tls', 'relp', 'relp_tls'] },
    host: { type: 'string', minLength: 1, maxLength: 253 },
    port: { type: 'integer', minimum: 1, maximum: 65_535 },
    framing: { enum: ['octet-counting', 'lf'] },
    ...common,
    ...pick(syslog, paramsOf.syslog),
  },
};
const { name: _name, events: _events, filters: _filters, active: _active, ...webhookConfig } = webhookFields;

/** Types of a body; `qradar` is syslog in the form that QRadar reads best. */
export const kinds = {
  syslog: { sink: 'syslog', ...syslogConfig },
  qradar: { sink: 'syslog', ...syslogConfig },
  splunk_hec: {
    sink: 'splunk-hec',
    required: ['url', 'token'],
    properties: { ...overHttp, token: secret, ...pick(splunkHec, paramsOf['splunk-hec']) },
  },
  elasticsearch: {
    sink: 'elasticsearch',
    required: ['url'],
    properties: {
      ...overHttp,
      user: { type: 'string', minLength: 1, maxLength: 256 },
      password: secret,
      api_key: secret,
      ...pick(elasticsearch, paramsOf.elasticsearch),
    },
  },
  webhook: { sink: 'webhook', required: ['url'], properties: webhookConfig },
} as const;

const top = {
  type: { enum: Object.keys(kinds) },
  name: webhookFields.name,
  events: { ...eventsSchema, description: 'Event types; all without it.' },
  filters: filtersSchema,
  active: { type: 'boolean' },
} as const;
const flat = Object.assign({}, ...Object.values(kinds).map(({ properties }) => properties)) as Record<
  string,
  object
>;

/** What a body may hold; `siemDocuments` knows which settings belong to which type. */
export const siemSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['type'],
  properties: {
    ...Object.fromEntries(
      Object.keys(flat)
        .filter((name) => !(name in top))
        .map((name) => [name, { description: 'In config, or here when there is no config.' }]),
    ),
    ...top,
    config: { type: 'object', description: 'Settings of the type.' },
  },
};

/** Whether settings fit a type: `whole` asks for what is required, `kept` leaves out what stays as it was. */
export const siemChecks = new Map(
  Object.entries(kinds).map(([type, { properties, required }]) => [
    type,
    {
      whole: compileCheck({
        type: 'object',
        additionalProperties: false,
        properties,
        required: [...required],
      }),
      kept: compileCheck({ type: 'object', additionalProperties: false, properties }),
    },
  ]),
);
