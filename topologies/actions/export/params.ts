// Parameters of the export action as a type, and the checks that its JSON Schema cannot express.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Connection } from '@tocsin/schemas/types.ts';
import type { ParquetCompression } from '../../domain/formats/parquet.ts';
import type { SplunkHecParams } from '../../sinks/splunk-hec/manifest.ts';
import { splunkHec } from '../../sinks/splunk-hec/sink.ts';
import type { SyslogParams } from '../../sinks/syslog/manifest.ts';
import { syslog } from '../../sinks/syslog/sink.ts';

export interface FilesParams {
  readonly format?: 'ndjson' | 'parquet';
  readonly folder?: string;
  readonly date?: 'event' | 'command';
  readonly compression?: ParquetCompression;
  readonly max_event_bytes?: number;
}

export interface ExportParams {
  readonly sink: 'splunk-hec' | 'syslog' | 'files';
  readonly splunk?: SplunkHecParams;
  readonly syslog?: SyslogParams;
  readonly files?: FilesParams;
}

/** The parameter that belongs to each sink, and the type of its connection. */
const belonging = {
  'splunk-hec': { options: 'splunk', connection: 'http' },
  syslog: { options: 'syslog', connection: 'syslog' },
  files: { options: 'files', connection: null },
} as const;

/** Issues of schema-valid parameters. */
export function checkExport(params: ExportParams): Issue[] {
  const own = belonging[params.sink].options;
  const foreign = (['splunk', 'syslog', 'files'] as const).filter(
    (name) => name !== own && params[name] !== undefined,
  );
  const below = (issues: readonly Issue[]): Issue[] =>
    issues.map((issue) => ({ ...issue, path: `/${own}${issue.path}` }));
  return [
    ...foreign.map((name) => ({ path: `/${name}`, message: `is not for the sink ${params.sink}` })),
    ...(params.sink === 'splunk-hec' ? below(splunkHec.check({ ...params.splunk })) : []),
    ...(params.sink === 'syslog' ? below(syslog.check({ ...params.syslog })) : []),
    ...(params.files?.compression !== undefined && params.files.format !== 'parquet'
      ? [{ path: '/files/compression', message: 'is for format parquet' }]
      : []),
  ];
}

export function checkExportConnection({ sink }: ExportParams, connection: Connection): Issue[] {
  const { connection: needed } = belonging[sink];
  if (connection.type === needed) return [];
  return [
    {
      path: '/sink',
      message:
        needed === null
          ? `${sink} uses no connection`
          : `${sink} needs a connection of type ${needed}, not ${connection.type}`,
    },
  ];
}

export function needsConnection({ sink }: ExportParams): boolean {
  return belonging[sink].connection !== null;
}
