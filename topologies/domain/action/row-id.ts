// The id of one row of a command, by which a receiver tells a repeat of it.
import type { Command } from '@tocsin/schemas/types.ts';

/** The command id; in mode all with `-` and the number of the row behind it. */
export function rowId(command: Command, index: number): string {
  return command.mode === 'all' && command.subject.rows !== undefined
    ? `${command.command_id}-${index}`
    : command.command_id;
}
