// What a run hears of the command that it waits for: one input at the end, whatever the end was.
//
// Surprise: a command that no worker could take up is answered too, as far as it can be read: the run would wait for ever.
import type { Command, ReplyTo, ResultInput } from '@tocsin/schemas/types.ts';
import { keptOutput } from '../domain/action/kept-output.ts';
import type { Json, Outcome } from '../domain/action/outcome.ts';
import { maxKeptBytes } from '../domain/dead-letter.ts';
import type { OutRecord } from '../ports/log.ts';

/** Bytes of an answer beside its output. */
const aroundOutput = 16 * 1024;

function answer({ topic, partition, key, token }: ReplyTo, result: Omit<ResultInput, 'kind'>): OutRecord {
  const input: ResultInput = { kind: 'result', token, ...result };
  return { topic, key, partition, value: JSON.stringify(input) };
}

/** The answer about the end of a command; none when nobody waits. An output that no input can hold has its long texts cut. */
export function replyTo(
  command: Command,
  status: ResultInput['status'],
  outcome: Outcome,
  attempt: number,
): OutRecord[] {
  const { reply_to, command_id } = command;
  if (reply_to === undefined) return [];
  const base = { command_id, attempt, status };
  if (outcome.status === 'failed')
    return [answer(reply_to, { ...base, code: outcome.code, detail: outcome.detail.slice(0, 1024) })];
  const output = keptOutput(outcome.output, maxKeptBytes - aroundOutput) as ResultInput['output'];
  return [
    answer(reply_to, {
      ...base,
      ...(outcome.ref === undefined ? {} : { ref: outcome.ref.slice(0, 4096) }),
      ...(output === undefined ? {} : { output }),
    }),
  ];
}

/** The output of a dry run in its answer. */
export function dryOutput(would: Json | undefined): Json {
  return { dry_run: true, would: would ?? null };
}

/** The answer to a record that is no command for this worker; none when it does not say who waits. */
export function refusalReply(read: unknown, reason: string, detail: string): OutRecord[] {
  if (!isObject(read)) return [];
  const { command_id, reply_to } = read;
  if (typeof command_id !== 'string' || !/^[0-9a-f]{32}$/.test(command_id) || !isReplyTo(reply_to)) return [];
  const end = { command_id, attempt: 0, status: 'failed', code: reason.slice(0, 64) } as const;
  return [answer(reply_to, { ...end, detail: detail.slice(0, 1024) })];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isReplyTo(value: unknown): value is ReplyTo {
  if (!isObject(value)) return false;
  const { topic, partition, key, token } = value;
  const texts = [topic, key, token].every((text) => typeof text === 'string' && text !== '');
  return texts && Number.isSafeInteger(partition) && (partition as number) >= 0;
}
