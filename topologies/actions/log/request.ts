// The lines of one log command: JSON, one per row, and nothing in a value can start a new line or move a terminal.
import type { Command } from '@tocsin/schemas/types.ts';
import { rowsOf } from '../../domain/templates/view.ts';

/** One line per row, without line feeds. `now` is epoch ms. */
export function logLines(command: Command, now: number): string[] {
  const { event, search } = command.subject;
  const head = {
    time: new Date(now).toISOString(),
    command_id: command.command_id,
    source: command.source.id,
    ...(command.rule === undefined ? {} : { rule: command.rule.id, rule_name: command.rule.name }),
    action: command.action.id,
    ...(command.tenant === undefined ? {} : { tenant: command.tenant }),
  };
  if (command.subject.rows === undefined && event !== undefined) return [line({ ...head, event })];
  const first = typeof command.row_index === 'number' ? command.row_index : 0;
  return rowsOf(command).map((row, index) =>
    line({
      ...head,
      ...(search === undefined ? {} : { search: search['name'] }),
      row_index: first + index,
      row,
    }),
  );
}

// JSON escapes C0 itself. DEL, C1 (some terminals obey U+009B), the separators that many readers take for line breaks,
// and the marks that turn the direction of text are escaped as well (CVE-2021-42574).
function line(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
