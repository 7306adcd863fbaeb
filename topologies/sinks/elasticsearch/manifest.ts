// The Elasticsearch and OpenSearch sink as data: parameters, defaults, limits.
import type { SinkManifest } from '../../domain/sink/define-sink.ts';

export interface ElasticsearchParams {
  readonly index?: string;
  readonly index_suffix?: string;
  readonly missing_field?: string;
  readonly mode?: 'create' | 'update';
  readonly id_field?: string;
  readonly version?: 'offset' | 'time';
  readonly timestamp?: boolean;
  readonly pipeline?: string;
  readonly routing?: string;
  readonly gzip?: boolean;
  readonly max_event_bytes?: number;
}

export const defaultIndex = 's4e-events-%{+YYYY.MM}';
export const defaultMissing = 'none';

export const manifest: SinkManifest = {
  id: 'elasticsearch',
  title: 'Elasticsearch, OpenSearch',
  summary:
    'Indexes every event as a document, many to one _bulk request; the same event twice is one document.',
  since: '0.1.0',
  needs: ['http'],
  connection: 'http',
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      index: {
        type: 'string',
        minLength: 1,
        maxLength: 512,
        default: defaultIndex,
        description:
          'Index, alias or data stream. %{+YYYY.MM.dd} is the UTC time of the event (also HH, DDD, and xxxx.ww for ISO weeks), %{[data][severity]} a field of it.',
        examples: ['s4e-events-%{+YYYY.MM.dd}', 's4e-%{[data][severity]}'],
      },
      index_suffix: {
        type: 'string',
        minLength: 1,
        maxLength: 128,
        description: 'Added to the index after a hyphen; may hold the same placeholders.',
        examples: ['prod'],
      },
      missing_field: {
        type: 'string',
        pattern: '^[a-z0-9][a-z0-9._-]*$',
        maxLength: 64,
        default: defaultMissing,
        description: 'What stands in the index name for a field that the event does not have.',
      },
      mode: {
        enum: ['create', 'update'],
        default: 'create',
        description:
          'create: a document is written once, and data streams work. update: a later event with the same id replaces the document.',
      },
      id_field: {
        type: 'string',
        minLength: 1,
        maxLength: 256,
        description:
          'Field whose value is the document id, for example [data][finding_id]; without it `id` of the event. Events without one get topic, partition, offset and time of their record.',
        examples: ['[data][finding_id]'],
      },
      version: {
        enum: ['offset', 'time'],
        default: 'offset',
        description:
          'Mode update: which of two events is later. By the offset of their record (events of one id must be in one partition), or by its time.',
      },
      timestamp: {
        type: 'boolean',
        default: true,
        description:
          'Adds @timestamp to events that have none: their timestamp, or the time of their record. Data streams need it.',
      },
      pipeline: {
        type: 'string',
        pattern: '^[A-Za-z0-9._-]+$',
        maxLength: 256,
        description: 'Ingest pipeline.',
      },
      routing: {
        type: 'string',
        pattern: '^[A-Za-z0-9._-]+$',
        maxLength: 256,
        description: 'Routing value of all documents.',
      },
      gzip: { type: 'boolean', default: false, description: 'Compress request bodies (level 1).' },
      max_event_bytes: {
        type: 'integer',
        minimum: 1024,
        maximum: 16_777_216,
        default: 1_048_576,
        description: 'Larger events go to the dead letters before they are sent.',
      },
    },
  },
  examples: [
    { title: 'A monthly index', params: { index: 's4e-events-%{+YYYY.MM}' } },
    { title: 'A data stream, compressed', params: { index: 'logs-s4e-default', gzip: true } },
    {
      title: 'One document per finding, in its newest state',
      params: { index: 's4e-findings', mode: 'update', id_field: '[data][finding_id]' },
    },
  ],
};
