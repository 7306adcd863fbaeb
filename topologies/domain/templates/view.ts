// What templates of a command can name, from the most to the least specific view.
//
// event:  local parameters > envelope (`event`, `timestamp`, `data.title`) > members of `data` (`title`) > system
// rows:   local parameters > fields of the (first) row > global parameters of the search job > system
// A command of a playbook adds, below its subject and above system: event, finding, steps, run, params, vars, item, index.
// system: rows, row_count, total_rows, row_index, mode, search, rule, action, command_id, tenant, trigger, sent_at
//
// Surprise: a row may have fields named like system names (`rule`, `source`, `action`): the row wins, but
// `{{rule.name}}` still finds the system's when the row's `rule` is plain text.
import type { Command } from '@tocsin/schemas/types.ts';
import type { Views } from './lookup.ts';

export type Row = Readonly<Record<string, unknown>>;

/** The rows that a command is about; an event counts as one row, its `data`. */
export function rowsOf(command: Command): readonly Row[] {
  const { event, rows } = command.subject;
  if (rows !== undefined) return rows;
  if (event === undefined) return [];
  return [isRecord(event.data) ? event.data : event];
}

export interface ViewOptions {
  /** Epoch ms of this attempt, shown as `sent_at` (RFC 3339). */
  readonly now: number;
  /** Parameters of the action that outrank everything. */
  readonly locals?: Row;
  /** Look at this row instead of the first, as if it were alone. */
  readonly row?: Row;
}

/** Views of a command for rendering. */
export function viewsOf(command: Command, options: ViewOptions): Views {
  const rows = options.row === undefined ? rowsOf(command) : [options.row];
  const search = command.subject.search;
  const system = {
    rows,
    row_count: rows.length,
    total_rows: command.subject.total_rows ?? rows.length,
    row_index: command.row_index,
    mode: command.mode,
    search: search ?? {},
    rule: command.rule ?? {},
    action: command.action,
    command_id: command.command_id,
    tenant: command.tenant ?? '',
    trigger: command.trigger,
    sent_at: new Date(options.now).toISOString(),
  };
  const globals = isRecord(search?.global_params) ? [search.global_params] : [];
  const { event } = command.subject;
  const context =
    command.subject.context === undefined
      ? []
      : [
          {
            event: event ?? {},
            finding: isRecord(event?.data) ? event.data : {},
            ...command.subject.context,
          },
        ];
  const subject =
    command.subject.rows === undefined && event !== undefined ? [event, rows[0] ?? {}] : [rows[0] ?? {}];
  return [
    ...(options.locals === undefined ? [] : [options.locals]),
    ...subject,
    ...context,
    ...globals,
    system,
  ];
}

function isRecord(value: unknown): value is Row {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
