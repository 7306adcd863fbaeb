// The marks by which a ticket is found again: of the command that made it, and of what it is about.
//
// Invariant: letters and digits only, so that a mark means the same in a label, a query and a full-text index; no value of an event is
// ever part of a query.
import { createHash } from 'node:crypto';
import type { Command } from '@tocsin/schemas/types.ts';

/** Mark of the ticket that a command makes; the same for every attempt. */
export function commandMark(command: Command): string {
  return `tocsin${command.command_id}`;
}

/** Mark of all tickets of the same tenant with the same key. */
export function fingerprintMark(command: Command, key: string): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([command.tenant ?? '', key]))
    .digest('hex');
  return `tocsinfp${digest.slice(0, 32)}`;
}
