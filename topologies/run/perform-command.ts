// What the command runner needs to know of one command: reading it, where its record ends, what its end tells others.
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import { checkDocument, formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import type { Command } from '@tocsin/schemas/types.ts';
import type { Failed, Outcome } from '../domain/action/outcome.ts';
import { actionEventRecord } from '../domain/action/results.ts';
import type { Assignment, OutRecord, RecordBatch } from '../ports/log.ts';
import type { Attempts } from './perform-judge.ts';

/** A record of the command topic that was taken and is not finished. */
export interface Taken {
  readonly batch: RecordBatch;
  readonly index: number;
  readonly assignment: Assignment;
  readonly bytes: number;
}

/** A command on its way to an outcome. */
export interface Job extends Taken {
  readonly command: Command;
  attempts: Attempts;
}

/** Offset after the record at `index`, gaps included. */
export function nextOffsetOf(batch: RecordBatch, index: number): number {
  return index + 1 < batch.count ? batch.offset(index + 1) : batch.nextOffset;
}

/** The engine's event about the end of a command. */
export function endedEvent(
  command: Command,
  outcome: Outcome,
  at: number,
  facts: Record<string, unknown>,
): OutRecord {
  const done = outcome.status === 'done';
  return actionEventRecord(command, done ? 'action.completed' : 'action.failed', at, {
    status: done ? 'succeeded' : 'failed',
    ...facts,
    ...(done ? {} : { code: outcome.code, detail: outcome.detail }),
  });
}

const downCodes = new Set(['dns', 'connect', 'tls', 'timeout', 'reset', 'protocol', 'http_5xx', 'http_429']);

/** Does the failure say that the destination as a whole is down or overloaded? */
export function isDown(outcome: Failed): boolean {
  return downCodes.has(outcome.code);
}

/** A command, or why the record is none. */
export type Read = { readonly command: Command } | { readonly reason: string; readonly detail: string };

/** Reads the value of a record from the command topic of `type`. */
export function readCommand(value: Buffer, type: string): Read {
  const parsed = parseJson(value);
  if (!parsed.ok) return { reason: parsed.reason, detail: parsed.detail };
  const issues = checkDocument('command.json', parsed.value);
  if (issues.length > 0) return { reason: 'invalid_command', detail: formatIssues(issues) };
  const command = parsed.value as unknown as Command;
  if (command.type !== type)
    return { reason: 'unknown_action', detail: `command of type ${command.type} on the topic of ${type}` };
  return { command };
}
