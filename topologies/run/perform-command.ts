// What the command runner needs to know of one command: reading it, where its record ends, what its end tells others.
import { defaultJsonLimits, type JsonObject, parseJson } from '@tocsin/schemas/codecs/json.ts';
import { checkDocument, formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import type { Command, CommandCancel } from '@tocsin/schemas/types.ts';
import type { Failed, Outcome } from '../domain/action/outcome.ts';
import { actionEventRecord } from '../domain/action/results.ts';
import { type DeadLetter, deadLetterRecord } from '../domain/dead-letter.ts';
import type { Assignment, OutRecord, RecordBatch } from '../ports/log.ts';
import type { Attempts } from './perform-judge.ts';
import { type Origin, type Parked, readParked } from './perform-parked.ts';

/** A record of the command topic that was taken and is not finished. */
export interface Taken {
  readonly batch: RecordBatch;
  readonly index: number;
  readonly assignment: Assignment;
  readonly bytes: number;
  /** With a record that a timer wrote: the one that the command was first read from. */
  readonly origin?: Origin;
}

/** A command on its way to an outcome. */
export interface Job extends Taken {
  readonly command: Command;
  /** Of a cancellable type: aborts when whoever called for the command gives it up. */
  readonly cancel?: AbortController;
  attempts: Attempts;
  /** How often it has been parked. */
  readonly waits: number;
  /** Waits in memory end here, epoch ms; null before the first failure since it was taken. */
  inlineUntil: number | null;
}

/** The record that holds the command as it was first read. */
export function originOf({ batch, index, origin }: Taken): Origin {
  return (
    origin ?? {
      offset: batch.offset(index),
      key: batch.key(index),
      value: batch.value(index) ?? Buffer.alloc(0),
      headers: batch.headers(index),
    }
  );
}

/** The key of that record. */
export function keyOf({ batch, index, origin }: Taken): Buffer | null {
  return origin === undefined ? batch.key(index) : origin.key;
}

/** The offset of that record. */
export function offsetOf({ batch, index, origin }: Taken): number {
  return origin?.offset ?? batch.offset(index);
}

/** The dead letter of what was taken: the command as it was first read, whatever it went through. */
export function letterOf(
  taken: Taken,
  about: Omit<DeadLetter, 'source' | 'key' | 'value' | 'headers' | 'stage'>,
): OutRecord {
  const { topic, partition } = taken.batch;
  const { offset, key, value, headers } = originOf(taken);
  const source = { topic, partition, offset };
  return deadLetterRecord({ stage: 'command', ...about, source, key, value, headers });
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

/** Why a record is no command, and what could be read of it. */
export interface Refused {
  readonly reason: string;
  readonly detail: string;
  readonly read?: unknown;
}

/** A command, `parked` when it comes out of a timer; or the cancel of one. */
export type Read = (Refused | { readonly command: Command } | { readonly cancel: CommandCancel }) & {
  readonly parked?: Parked;
};

/** Bytes of a record that a timer wrote: a command as text within JSON is longer than by itself. */
const maxFiredBytes = 2 * 1024 * 1024;

/** Reads the value of a record from the command topic of `type`: a command, the timer of one, or the cancel of one. */
export function readRecord(value: Buffer, type: string): Read {
  const parsed = parseJson(value, { maxBytes: maxFiredBytes });
  if (parsed.ok && parsed.value['kind'] === 'cancel') return cancelOf(parsed.value as JsonObject);
  if (!parsed.ok || parsed.value['kind'] !== 'timer')
    return commandOf(value.length > defaultJsonLimits.maxBytes ? parseJson(value) : parsed, type);
  const parked = readParked(parsed.value);
  if (parked === null) return { reason: 'invalid_command', detail: 'a timer without a command' };
  return { ...commandOf(parseJson(parked.origin.value), type), parked };
}

function cancelOf(read: JsonObject): Refused | { readonly cancel: CommandCancel } {
  const issues = checkDocument('command-cancel.json', read);
  if (issues.length > 0) return { reason: 'invalid_command', detail: formatIssues(issues) };
  return { cancel: read as unknown as CommandCancel };
}

function commandOf(
  parsed: ReturnType<typeof parseJson>,
  type: string,
): Refused | { readonly command: Command } {
  if (!parsed.ok) return { reason: parsed.reason, detail: parsed.detail };
  const read = parsed.value as JsonObject;
  const issues = checkDocument('command.json', read);
  if (issues.length > 0) return { reason: 'invalid_command', detail: formatIssues(issues), read };
  const command = read as unknown as Command;
  if (command.type === type) return { command };
  const detail = `command of type ${command.type} on the topic of ${type}`;
  return { reason: 'unknown_action', detail, read };
}
