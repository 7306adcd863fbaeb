// The Splunk HTTP Event Collector sink as data: parameters, defaults, limits.
import type { SinkManifest } from '../../domain/sink/define-sink.ts';

export interface SplunkHecParams {
  readonly endpoint?: 'event' | 'raw';
  readonly path?: string;
  readonly index?: string;
  readonly sourcetype?: string;
  readonly source?: string;
  readonly host?: string;
  readonly time?: 'event' | 'record' | 'none';
  readonly gzip?: boolean;
  readonly track?: boolean;
  readonly fields?: Readonly<Record<string, string | number>>;
  readonly ack?: boolean;
  readonly ack_poll_ms?: number;
  readonly ack_timeout_ms?: number;
  readonly ack_outstanding?: number;
  readonly max_event_bytes?: number;
}

export const manifest: SinkManifest = {
  id: 'splunk-hec',
  title: 'Splunk HTTP Event Collector',
  summary: 'Forwards events as they are, wrapped in the HEC envelope, many to one request.',
  since: '0.1.0',
  needs: ['http'],
  connection: 'http',
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      endpoint: {
        enum: ['event', 'raw'],
        default: 'event',
        description:
          'event wraps each event in an envelope. raw sends each event as one line, with source, sourcetype, index and host in the query; Splunk then takes the time from the line, as the source type says.',
      },
      path: {
        type: 'string',
        pattern: '^/[A-Za-z0-9._~/-]*$',
        maxLength: 512,
        description:
          'Path of the endpoint, after the base path of the connection; /services/collector/event or /services/collector/raw without it.',
        examples: ['/services/collector/event'],
      },
      index: {
        type: 'string',
        minLength: 1,
        maxLength: 80,
        description: "Target index; without it the token's default index applies.",
        examples: ['security'],
      },
      sourcetype: {
        type: 'string',
        minLength: 1,
        maxLength: 256,
        default: '_json',
        description: 'Source type.',
      },
      source: { type: 'string', minLength: 1, maxLength: 256, default: 's4e', description: 'Source.' },
      host: {
        type: 'string',
        minLength: 1,
        maxLength: 253,
        description: 'Host of every event; without it the name of the asset in the event, if there is one.',
      },
      time: {
        enum: ['event', 'record', 'none'],
        default: 'event',
        description:
          "Event time: the event's timestamp (the Kafka record's when it has none), always the record's, or none, in which case Splunk stamps the arrival.",
      },
      gzip: { type: 'boolean', default: false, description: 'Compress request bodies (level 1).' },
      track: {
        type: 'boolean',
        default: false,
        description:
          'Adds the indexed fields kafka_topic, kafka_partition and kafka_offset, which prove loss and duplication.',
      },
      fields: {
        type: 'object',
        maxProperties: 50,
        propertyNames: { pattern: '^[A-Za-z][A-Za-z0-9_.-]{0,63}$' },
        additionalProperties: { anyOf: [{ type: 'string', maxLength: 1024 }, { type: 'number' }] },
        description: 'Indexed fields of every event, such as the site that it comes from.',
        examples: [{ site: 'ist-1' }],
      },
      ack: {
        type: 'boolean',
        default: false,
        description:
          'The token has indexer acknowledgement: offsets are committed when the indexer has confirmed the events, not when it has answered.',
      },
      ack_poll_ms: {
        type: 'integer',
        minimum: 100,
        maximum: 60_000,
        default: 5_000,
        description: 'Between two questions for acknowledgements.',
      },
      ack_timeout_ms: {
        type: 'integer',
        minimum: 1_000,
        maximum: 3_600_000,
        default: 300_000,
        description:
          'Events that are not acknowledged for so long are read from Kafka and sent again. Splunk writes small batches out after up to two minutes.',
      },
      ack_outstanding: {
        type: 'integer',
        minimum: 1,
        maximum: 100_000,
        default: 1_000,
        description: 'Most requests to one indexer that are not acknowledged; no more are sent meanwhile.',
      },
      max_event_bytes: {
        type: 'integer',
        minimum: 1024,
        maximum: 5_000_000,
        default: 1_048_576,
        description:
          'Larger events go to the dead letters before they are sent. Splunk itself refuses events above 5 MB (maxEventSize).',
      },
    },
  },
  examples: [
    { title: 'Into the security index', params: { index: 'security' } },
    {
      title: 'Over a slow line, traceable',
      params: { index: 'security', sourcetype: 's4e:finding', gzip: true, track: true },
    },
    { title: 'Committed when the indexers have it', params: { index: 'security', ack: true } },
    { title: 'Raw lines', params: { endpoint: 'raw', index: 'security', sourcetype: 's4e:raw' } },
  ],
};
