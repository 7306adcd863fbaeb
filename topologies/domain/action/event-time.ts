// When something happened, as far as its event or row says so.
//
// Invariant: the same for every attempt of a command, so that a repeat meets what the first attempt wrote.
import type { Command } from '@tocsin/schemas/types.ts';
import { parseInstant, readInstant } from '../rules/instant.ts';
import type { Row } from '../templates/view.ts';

const fields = ['@timestamp', 'timestamp', '_time', 'time'];

/** Epoch ms: of the event, of the row, of the end of the searched window, or of the command. */
export function eventTime(command: Command, row: Row): number {
  const { event, search } = command.subject;
  const told = [event?.['timestamp'], ...fields.map((name) => row[name]), search?.['time_to']];
  for (const value of told) {
    const at = typeof value === 'string' ? parseInstant(value.trim()) : readInstant(value);
    if (at !== undefined) return Math.floor(at);
  }
  return command.created_at;
}
