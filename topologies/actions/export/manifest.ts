// What the export action is: findings and rows to Splunk, to a syslog receiver, or as files for a data lake.
import type { ActionManifest } from '../../domain/action/define-action.ts';
import { manifest as splunkHec } from '../../sinks/splunk-hec/manifest.ts';
import { manifest as syslog } from '../../sinks/syslog/manifest.ts';

/** The parameters of a sink as one parameter of the action, without those that mean something to a stream only. */
function optionsOf(sink: typeof splunkHec, description: string, without: readonly string[]) {
  const properties = Object.entries(sink.params['properties'] as Record<string, object>);
  return {
    type: 'object',
    additionalProperties: false,
    description,
    properties: Object.fromEntries(properties.filter(([name]) => !without.includes(name))),
  };
}

export const manifest: ActionManifest = {
  id: 'export',
  title: 'Export',
  summary:
    'Hands the finding or the search results to Splunk, to QRadar or another syslog receiver, or to a data lake as files by date.',
  since: '0.1.0',
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['sink'],
    properties: {
      sink: {
        enum: ['splunk-hec', 'syslog', 'files'],
        description:
          'Where to: the HTTP Event Collector of Splunk, a syslog receiver (CEF, LEEF, RFC 5424 or JSON), or files in the export folder of the worker.',
      },
      // An attempt ends with the answer: nobody would wait for acknowledgements.
      splunk: optionsOf(splunkHec, 'With splunk-hec: the parameters of the sink splunk-hec.', [
        'ack',
        'ack_poll_ms',
        'ack_timeout_ms',
        'ack_outstanding',
      ]),
      syslog: optionsOf(
        syslog,
        'With syslog: the parameters of the sink syslog. format leef is for QRadar. hostname without a value is tocsin.',
        ['proof_ms', 'window_bytes'],
      ),
      files: {
        type: 'object',
        additionalProperties: false,
        description: 'With files: what they are and where they lie.',
        properties: {
          format: {
            enum: ['ndjson', 'parquet'],
            default: 'ndjson',
            description: 'One JSON record in each line, or Apache Parquet.',
          },
          folder: {
            type: 'string',
            pattern: '^[A-Za-z0-9][A-Za-z0-9._=-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._=-]{0,99}){0,5}$',
            maxLength: 400,
            default: 'findings',
            description: 'Folder below the export folder, before the date; not a template.',
          },
          date: {
            enum: ['event', 'command'],
            default: 'event',
            description:
              'Day of the partition, UTC: that of each record, or that on which the command was written.',
          },
          compression: {
            enum: ['snappy', 'none'],
            default: 'snappy',
            description: 'Of the pages of Parquet files.',
          },
          max_event_bytes: {
            type: 'integer',
            minimum: 1024,
            maximum: 5_000_000,
            default: 1_048_576,
            description: 'Larger records go to the dead letters.',
          },
        },
      },
    },
  },
  examples: [
    {
      title: 'To the security index of Splunk',
      params: { sink: 'splunk-hec', splunk: { index: 'security' } },
    },
    {
      title: 'To QRadar as LEEF',
      params: { sink: 'syslog', syslog: { format: 'leef', hostname: 'tocsin.example.com' } },
    },
    { title: 'To QRadar or ArcSight as CEF', params: { sink: 'syslog', syslog: { format: 'cef' } } },
    {
      title: 'To a data lake as Parquet',
      params: { sink: 'files', files: { format: 'parquet', folder: 'soc/findings' } },
    },
  ],
  outputs: {
    sink: 'Where the records went.',
    records: 'How many were handed over.',
    files: 'Paths, sizes and digests of the files written.',
  },
  failures: ['bad_response', 'too_large'],
  needs: ['http', 'syslog', 'lake', 'clock'],
  connection: ['http', 'syslog'],
  runOnce: 'all',
  defaultMode: 'all',
  idempotency: 'key',
  ledger: 'durable',
};
