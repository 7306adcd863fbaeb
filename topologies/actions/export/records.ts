// What is exported of a command: one record for its event, or one for each of its rows, in the envelope that all events have.
//
// Invariant: the same command gives the same records, whatever the time and the attempt; each has an id and the id of the command.
import type { Command } from '@tocsin/schemas/types.ts';
import { eventTime } from '../../domain/action/event-time.ts';
import { rowId } from '../../domain/action/row-id.ts';
import type { Origins } from '../../domain/sink/define-sink.ts';
import { type Row, rowsOf } from '../../domain/templates/view.ts';

export interface ExportRecord {
  readonly id: string;
  /** Epoch ms of the event or row. */
  readonly at: number;
  /** The event as it came with what it lacked; a row in an envelope of the event type search.result. */
  readonly envelope: Readonly<Record<string, unknown>>;
  /** `data` of the envelope. */
  readonly row: Row;
}

/** The years that dates and receivers can write, epoch ms. */
const writable = { from: Date.UTC(1970, 0, 1), to: Date.UTC(9999, 11, 31, 23, 59, 59, 999) };

export function recordsOf(command: Command): ExportRecord[] {
  const { event, rows, search } = command.subject;
  const { command_id } = command;
  const tenant = command.tenant === undefined ? {} : { tenant: command.tenant };
  if (rows === undefined) {
    if (event === undefined) return [];
    const [row = {}] = rowsOf(command);
    const id = typeof event['id'] === 'string' ? event['id'] : command.source.id;
    return [{ id, at: timeOf(command, row), envelope: { ...tenant, ...event, id, command_id }, row }];
  }
  const { job_id, run_id, name } = search ?? {};
  return rows.map((row, index) => {
    const id = rowId(command, index);
    const at = timeOf(command, row);
    const timestamp = new Date(at).toISOString();
    const origin = search === undefined ? {} : { search: { job_id, run_id, name } };
    const envelope = { id, event: 'search.result', timestamp, ...tenant, ...origin, data: row, command_id };
    return { id, at, envelope, row };
  });
}

function timeOf(command: Command, row: Row): number {
  const at = eventTime(command, row);
  return at >= writable.from && at <= writable.to ? at : command.created_at;
}

/** Where the records came from, for frames: the input of the command. */
export function originsOf({ source }: Command, records: readonly ExportRecord[]): Origins {
  const { topic, partition, offset } = source;
  return { topic, partition, offset: () => offset, timestamp: (index) => records[index]?.at ?? -1 };
}
