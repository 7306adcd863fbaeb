// The port of records for systems outside, over the outbox of a service.
import type { RecordsPort } from '../ports/records.ts';
import type { Outbox } from './outbox.ts';

export function recordsOf(outbox: Pick<Outbox, 'send'>): RecordsPort {
  return { append: (records) => outbox.send(records) };
}
