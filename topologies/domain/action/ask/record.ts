// What every record for another system says: who asks, about what, and how many actions lie behind it.
//
// Invariant: made of the command alone, never of the time of an attempt, so that a repeat is the same record.
import { createHash } from 'node:crypto';
import type { Command, JobRequest } from '@tocsin/schemas/types.ts';

export type RecordHead = Pick<
  JobRequest,
  | 'v'
  | 'command_id'
  | 'correlation_id'
  | 'tenant'
  | 'requested_at'
  | 'hops'
  | 'source'
  | 'action'
  | 'rule'
  | 'playbook'
>;

export function recordHead(command: Command): RecordHead {
  const { command_id, tenant, source, rule, playbook, action, hops, created_at } = command;
  return {
    v: 1,
    command_id,
    correlation_id: command_id,
    ...(tenant === undefined ? {} : { tenant }),
    requested_at: new Date(created_at).toISOString(),
    hops,
    source: { id: source.id, ...(source.event === undefined ? {} : { event: source.event }) },
    action: action.id,
    ...(rule === undefined ? {} : { rule: rule.id }),
    ...(playbook === undefined
      ? {}
      : { playbook: { id: playbook.id, run: playbook.run, step: playbook.step } }),
  };
}

/** 128 bits of SHA-256 over JSON values, as hexadecimal digits. */
export function keyOfParts(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}
