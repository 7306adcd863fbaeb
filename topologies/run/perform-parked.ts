// A command that waits in the topic of timers: what the timer carries, and how the command comes out of it again.
//
// Invariant: key, headers and bytes of the command come back as they were first read, so that its dead letter is the letter of
// the command, whatever it went through.
//
// Surprise: the command is kept whole, as text, whatever its size. A reference into the command topic could outlive the record:
// the topic keeps a week, and the waits of one command may add up to months.
import type { Progress } from '../domain/action/outcome.ts';
import type { Header } from '../ports/log.ts';
import type { Attempts } from './perform-judge.ts';

/** The record that a command was first read from; its topic and partition are those of whoever reads it. */
export interface Origin {
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer;
  readonly headers: readonly Header[];
}

export interface Parked {
  readonly origin: Origin;
  readonly attempts: Attempts;
  /** How often it has waited so, this time included. */
  readonly waits: number;
  /** The destination that it waits for: id of the connection, '' without one; null: for its time. */
  readonly away: string | null;
}

/** Payload of the timer. */
export interface ParkedPayload {
  readonly command: string;
  readonly origin: {
    readonly offset: number;
    /** Base64, as the headers: neither need be text. */
    readonly key?: string;
    readonly headers?: readonly (readonly [string, string])[];
  };
  readonly attempts: Attempts;
  readonly waits: number;
  readonly away?: string;
}

export function parkedPayload({ origin, attempts, waits, away }: Parked): ParkedPayload {
  const { offset, key, value, headers } = origin;
  return {
    command: value.toString(),
    origin: {
      offset,
      ...(key === null ? {} : { key: key.toString('base64') }),
      ...(headers.length === 0
        ? {}
        : { headers: headers.map(([name, content]) => [name, content.toString('base64')]) }),
    },
    attempts,
    waits,
    ...(away === null ? {} : { away }),
  };
}

/** Names one wait of one record of the command topic. A new name for each: the removal of an older one cannot hit it. */
export function parkedToken(commandId: string, offset: number, waits: number): string {
  return `${commandId}.${offset}.${waits}`;
}

/** What a timer of the command topic carries; null when it is none of a command. */
export function readParked(payload: unknown): Parked | null {
  if (!isObject(payload) || !isObject(payload['origin']) || !isObject(payload['attempts'])) return null;
  const { command, waits, away } = payload;
  const { offset, key, headers = [] } = payload['origin'];
  const attempts = readAttempts(payload['attempts']);
  const fits =
    typeof command === 'string' &&
    isCount(waits) &&
    isCount(offset) &&
    (key === undefined || typeof key === 'string') &&
    (away === undefined || typeof away === 'string') &&
    Array.isArray(headers) &&
    headers.every((header) => Array.isArray(header) && header.every((part) => typeof part === 'string'));
  if (!fits || attempts === null) return null;
  return {
    origin: {
      offset,
      key: key === undefined ? null : Buffer.from(key as string, 'base64'),
      value: Buffer.from(command),
      headers: (headers as [string, string][]).map(([name, content]) => [
        name,
        Buffer.from(content, 'base64'),
      ]),
    },
    attempts,
    waits,
    away: (away as string | undefined) ?? null,
  };
}

function readAttempts({
  count,
  possibleDuplicate,
  reopened,
  refused,
  failedSince,
  progress,
}: Record<string, unknown>): Attempts | null {
  if (!isCount(count) || typeof possibleDuplicate !== 'boolean') return null;
  if (failedSince !== null && typeof failedSince !== 'number') return null;
  if (reopened !== undefined && reopened !== true) return null;
  if (progress !== undefined && !isObject(progress)) return null;
  const known = {
    count,
    possibleDuplicate,
    ...(reopened === undefined ? {} : { reopened: true as const }),
    failedSince,
    ...(progress === undefined ? {} : { progress: progress as Progress }),
  };
  if (refused === null) return { ...known, refused };
  if (!isObject(refused) || typeof refused['since'] !== 'number' || !isCount(refused['times'])) return null;
  const { since, times } = refused as { since: number; times: number };
  return { ...known, refused: { since, times } };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
