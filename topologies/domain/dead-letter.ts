// Dead letters: what could not be handled, with its original bytes and the reason.
//
// The value is never parsed or re-serialised on the way: JSON.parse accepts nesting that JSON.stringify cannot write.
import { createHash } from 'node:crypto';
import type { Header, OutRecord, RecordBatch, UnreadableOffsets } from '../ports/log.ts';
import { topics } from '../topics.ts';

export interface DeadLetter {
  /** Which stage gave up. */
  readonly stage: 'input' | 'command' | 'sink';
  /** Code of a closed list: failure codes, refusal reasons, parse reasons. */
  readonly reason: string;
  /** One line for people; cut to 1,024 characters. Must be free of secrets. */
  readonly error: string;
  readonly source: { readonly topic: string; readonly partition: number; readonly offset: number };
  /** Service or service/instance. */
  readonly service: string;
  readonly attempts: number;
  /** When it failed first, epoch ms. */
  readonly firstAt?: number;
  /** Epoch ms. */
  readonly at: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly Header[];
  readonly commandId?: string;
  /** The part of the command that this letter is about, when the rest was done: a recipient. */
  readonly part?: string;
}

/** Largest value kept whole, bytes: below the broker's default message limit of 1 MiB with room for headers. */
export const maxKeptBytes = 900 * 1024;
/** Bytes kept of a larger value. */
export const pointerBytes = 64 * 1024;
const maxHeaderBytes = 32 * 1024;

/** The record for dead-letters.v1. */
export function deadLetterRecord(letter: DeadLetter, topicName: string = topics.deadLetters.name): OutRecord {
  const { source } = letter;
  const headers: [string, Buffer | string][] = [
    ['x-dlq-class', letter.stage],
    ['x-dlq-reason', letter.reason],
    ['x-dlq-error', oneLine(letter.error).slice(0, 1024)],
    ['x-dlq-source', `${source.topic}/${source.partition}/${source.offset}`],
    ['x-dlq-service', letter.service],
    ['x-dlq-attempts', String(letter.attempts)],
    ['x-dlq-at', new Date(letter.at).toISOString()],
  ];
  if (letter.firstAt !== undefined) headers.push(['x-dlq-first-at', new Date(letter.firstAt).toISOString()]);
  if (letter.commandId !== undefined) headers.push(['x-dlq-command-id', letter.commandId]);
  if (letter.part !== undefined) headers.push(['x-dlq-part', oneLine(letter.part).slice(0, 1024)]);
  let value = letter.value;
  if (value !== null && value.length > maxKeptBytes) {
    const sha256 = createHash('sha256').update(value).digest('hex');
    headers.push(['x-dlq-pointer', JSON.stringify({ sha256, size: value.length, kept: pointerBytes })]);
    value = value.subarray(0, pointerBytes);
  }
  let headerBytes = 0;
  for (const [name, content] of letter.headers) {
    headerBytes += name.length + content.length;
    if (headerBytes > maxHeaderBytes) {
      headers.push(['x-dlq-headers-cut', 'true']);
      break;
    }
    headers.push([`x-orig-${name}`, content]);
  }
  return { topic: topicName, key: letter.key, value, headers };
}

/** The dead letter of one record of a batch: its key, value and headers as they came. */
export function letterOfRecord(
  batch: RecordBatch,
  index: number,
  about: Pick<
    DeadLetter,
    'stage' | 'reason' | 'error' | 'service' | 'attempts' | 'at' | 'commandId' | 'part'
  >,
): OutRecord {
  return deadLetterRecord({
    ...about,
    source: { topic: batch.topic, partition: batch.partition, offset: batch.offset(index) },
    key: batch.key(index),
    value: batch.value(index),
    headers: batch.headers(index),
  });
}

/**
 * The record for offsets that are in the log and cannot be decoded: there are no original bytes to keep, so it says
 * which offsets they are and why.
 */
export function unreadableRecord(
  range: UnreadableOffsets,
  about: Pick<DeadLetter, 'stage' | 'service' | 'at'>,
): OutRecord {
  return deadLetterRecord({
    ...about,
    reason: 'unreadable',
    error: `offsets ${range.firstOffset} to ${range.nextOffset - 1}: ${range.reason}`,
    source: { topic: range.topic, partition: range.partition, offset: range.firstOffset },
    attempts: 1,
    key: null,
    value: null,
    headers: [],
  });
}

/** Control characters and line separators become spaces, so that one letter is one line in any log. */
export function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed here
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');
}
