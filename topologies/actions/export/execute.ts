// Carries out one export command: its records to a sink over the wire, or into files.
//
// Invariant: every record is exported, or a dead letter of its own, or the command fails as a whole.
import type { Command } from '@tocsin/schemas/types.ts';
import { checked } from '../../domain/action/check-params.ts';
import type { ActionContext } from '../../domain/action/define-action.ts';
import { failed, isFailed } from '../../domain/action/fail.ts';
import type { FailureCode, Json, Outcome } from '../../domain/action/outcome.ts';
import { shownItems, shownText } from '../../domain/action/preview.ts';
import { putFiles } from '../../domain/action/put-files.ts';
import type { Refused } from '../../domain/sink/deliver-once.ts';
import { type ExportFile, exportFiles } from './files.ts';
import { forward, forwarding } from './forward.ts';
import { manifest } from './manifest.ts';
import { checkExport, checkExportConnection, type ExportParams, needsConnection } from './params.ts';
import { type ExportRecord, recordsOf } from './records.ts';

const read = (params: Readonly<Record<string, unknown>>): ExportParams => params as unknown as ExportParams;

export const exportAction = checked({
  manifest,
  check: (params) => checkExport(read(params)),
  checkConnection: (params, connection) => checkExportConnection(read(params), connection),
  needsConnection: (params) => needsConnection(read(params)),
  preview(command, { connection }): Outcome {
    const params = read(command.params);
    const records = recordsOf(command);
    if (params.sink === 'files') {
      const { files, refused } = exportFiles(command, records, params.files ?? {});
      const shown = files.slice(0, shownItems).map((file) => ({ ...filed(file), ...beginning(file) }));
      return ended(records, refused, { files: shown });
    }
    const opened = forwarding(command, records, params, connection);
    if (isFailed(opened)) return opened;
    return ended(records, opened.refused, opened.shown(), opened.cut);
  },
  async execute(command, context): Promise<Outcome> {
    const params = read(command.params);
    const records = recordsOf(command);
    if (params.sink === 'files') return store(command, records, params, context);
    const opened = forwarding(command, records, params, context.connection);
    if (isFailed(opened)) return opened;
    const { delivered, refused, failure } = await forward(opened, records.length, context);
    if (failure === null) return ended(records, refused, { sink: params.sink }, opened.cut);
    return delivered === 0 ? failure : { ...failure, output: { sink: params.sink, records: delivered } };
  },
});

async function store(
  command: Command,
  records: readonly ExportRecord[],
  params: ExportParams,
  { ports }: ActionContext,
): Promise<Outcome> {
  if (ports.lake === undefined) throw new TypeError('export needs the lake port');
  const { files, refused } = exportFiles(command, records, params.files ?? {});
  const outcome = ended(records, refused, { files: files.map(filed) });
  return (await putFiles(ports.lake, files, 'export')) ?? outcome;
}

const codes: Readonly<Record<Refused['why'], FailureCode>> = {
  'too-large': 'too_large',
  unreadable: 'invalid_body',
  refused: 'bad_response',
};

/** The outcome of an export that came to its end: refused records are letters of their own, unless nothing else is left. */
function ended(
  records: readonly ExportRecord[],
  refused: readonly Refused[],
  output: { readonly [key: string]: Json },
  cut = 0,
): Outcome {
  const undelivered = refused.map(({ index, why, detail }) => ({
    to: records[index]?.id ?? '',
    code: codes[why],
    detail: `record ${index}: ${detail}`.slice(0, 1024),
  }));
  const [first] = undelivered;
  const exported = records.length - refused.length;
  if (first !== undefined && exported === 0) return failed(first.code, first.detail);
  const files = output['files'];
  const [file] = Array.isArray(files) ? (files as { name: string }[]) : [];
  return {
    status: 'done',
    ...(file === undefined ? {} : { ref: file.name }),
    output: { ...output, records: exported },
    ...(cut === 0 ? {} : { warnings: [`${cut} messages were shortened to fit`] }),
    ...(first === undefined ? {} : { undelivered }),
  };
}

function filed({ name, records, content, sha256 }: ExportFile): { [key: string]: Json } {
  return { name, records, bytes: content.length, sha256 };
}

/** Parquet is nothing to read. */
function beginning({ name, content }: ExportFile): { [key: string]: Json } {
  return name.endsWith('.ndjson') ? { beginning: shownText(content.toString()) } : {};
}
