// The Splunk HTTP Event Collector sink as data: parameters, defaults, limits.
import type { SinkManifest } from '../../domain/sink/define-sink.ts';

export interface SplunkHecParams {
  readonly path?: string;
  readonly index?: string;
  readonly sourcetype?: string;
  readonly source?: string;
  readonly host?: string;
  readonly time?: 'event' | 'record' | 'none';
  readonly gzip?: boolean;
  readonly track?: boolean;
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
      path: {
        type: 'string',
        pattern: '^/[A-Za-z0-9._~/-]*$',
        maxLength: 512,
        default: '/services/collector/event',
        description: 'Path of the event endpoint, after the base path of the connection.',
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
  ],
};
