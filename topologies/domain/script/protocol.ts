// What workers and agents say to each other: JSON over HTTP, one resource for each run.
//
//   POST /v1/runs                      {command_id, round, call, environment, stdin, time_limit_ms} -> 200 state
//   GET  /v1/runs/<id>.<round>?wait_ms=20000                                                                   -> 200 state, 404
//   POST /v1/runs/<id>.<round>/cancel                                                                          -> 200 state, 404
//
// Invariant: POST of a run that the agent knows, running or ended, begins nothing and answers its state.
import { compileCheck, type JsonSchema } from '@tocsin/schemas/codecs/validate.ts';
import type { ScriptEnd, ScriptRun } from '../../ports/script-host.ts';
import type { ScriptCall } from './catalogue.ts';
import type { Captured } from './output.ts';

/** Body of POST /v1/runs. */
export interface RunRequest {
  readonly command_id: string;
  readonly round: number;
  readonly call: ScriptCall;
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin: string | null;
  readonly time_limit_ms: number | null;
}

/** Where a run is. */
export type RunState =
  | { readonly state: 'running'; readonly started_at: number }
  | { readonly state: 'ended'; readonly end: ScriptEnd }
  /** Begun, and nobody knows how it ended. */
  | { readonly state: 'uncertain'; readonly started_at: number };

/** Longest time that the agent lets a caller wait for an end, ms. */
export const maxWaitMs = 30_000;
/** Bytes of a request; of an answer the same is more than enough. */
export const maxRequestBytes = 8 * 1024 * 1024;

export function runId({ commandId, round }: Pick<ScriptRun, 'commandId' | 'round'>): string {
  return `${commandId}.${round}`;
}

export const runIdPattern = /^[0-9a-f]{32}\.[1-9][0-9]{0,8}$/;

const texts = { type: 'array', maxItems: 300, items: { type: 'string', maxLength: 65_536 } };
const requestSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['command_id', 'round', 'call', 'environment', 'stdin', 'time_limit_ms'],
  properties: {
    command_id: { type: 'string', pattern: '^[0-9a-f]{32}$' },
    round: { type: 'integer', minimum: 1, maximum: 999_999_999 },
    call: {
      oneOf: [
        {
          type: 'object',
          additionalProperties: false,
          required: ['script', 'arguments'],
          properties: { script: { type: 'string', maxLength: 64 }, arguments: texts },
        },
        {
          type: 'object',
          additionalProperties: false,
          required: ['words'],
          properties: { words: { ...texts, minItems: 1 } },
        },
        {
          type: 'object',
          additionalProperties: false,
          required: ['shell', 'arguments'],
          properties: { shell: { type: 'string', minLength: 1, maxLength: 65_536 }, arguments: texts },
        },
      ],
    },
    environment: { type: 'object', maxProperties: 100, additionalProperties: { type: 'string' } },
    stdin: { oneOf: [{ type: 'string' }, { type: 'null' }] },
    time_limit_ms: { oneOf: [{ type: 'integer', minimum: 1, maximum: 86_400_000 }, { type: 'null' }] },
  },
};

/** Issues of a body of POST /v1/runs, as JSON Pointers into it. */
export const checkRunRequest = compileCheck(requestSchema);

/** The state that an answer tells; null when it tells none. */
export function readRunState(body: Buffer): RunState | null {
  let read: unknown;
  try {
    read = JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
  if (!isObject(read)) return null;
  const { state, started_at: startedAt, end } = read;
  if ((state === 'running' || state === 'uncertain') && typeof startedAt === 'number')
    return { state, started_at: startedAt };
  if (state === 'ended' && isEnd(end)) return { state, end };
  return null;
}

function isEnd(end: unknown): end is ScriptEnd {
  if (!isObject(end)) return false;
  const { exitCode, signal, stdout, stderr, startedAt, endedAt, stopped } = end;
  return (
    (exitCode === null || Number.isInteger(exitCode)) &&
    (signal === null || typeof signal === 'string') &&
    isCaptured(stdout) &&
    isCaptured(stderr) &&
    typeof startedAt === 'number' &&
    typeof endedAt === 'number' &&
    (stopped === null || (isObject(stopped) && ['cancel', 'time_limit'].includes(String(stopped['by']))))
  );
}

function isCaptured(value: unknown): value is Captured {
  if (!isObject(value)) return false;
  const { text, bytes, sha256, truncated } = value;
  return (
    typeof text === 'string' &&
    Number.isSafeInteger(bytes) &&
    (sha256 === null || typeof sha256 === 'string') &&
    typeof truncated === 'boolean'
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
