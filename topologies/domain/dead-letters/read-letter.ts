// A record of dead-letters.v1 as people search it: what its headers say, and what a command in it says of itself.
//
// Invariant: every record gives a letter, whatever is in it: a letter that could not be read would become a letter about a letter.
// One thing that failed has one id, however often its letter was written: a worker that dies between letter and offset writes it again.
import { createHash } from 'node:crypto';
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { Command } from '@tocsin/schemas/types.ts';
import type { Header, RecordBatch } from '../../ports/log.ts';
import { type Place, readPlace, readRedriven } from './redriven.ts';

/** What is known of a command that is in a letter. */
export interface LetterCommand {
  readonly id: string;
  readonly round: number;
  readonly type: string;
  readonly action: string;
  readonly rule: string | null;
  readonly connection: string | null;
  readonly playbook: string | null;
  /** Key of the run. */
  readonly run: string | null;
  readonly tenant: string | null;
}

export interface Letter {
  /** 32 hexadecimal characters. */
  readonly id: string;
  /** Where the letter itself is. */
  readonly place: Place;
  readonly stage: string;
  readonly service: string;
  readonly reason: string;
  readonly error: string;
  /** Null when the letter does not say. */
  readonly source: Place | null;
  readonly attempts: number;
  /** Epoch ms. */
  readonly at: number;
  readonly firstAt: number | null;
  /** Of the command that the letter is about, also when its value is no command. */
  readonly commandId: string | null;
  readonly part: string | null;
  readonly command: LetterCommand | null;
  /** How often what is in it was sent again before it failed here, and the letter that it was sent from last. */
  readonly redrives: number;
  readonly redriveOf: string | null;
  /** Where the record was first, when it was sent again. */
  readonly firstSource: Place | null;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** The original headers. */
  readonly headers: readonly Header[];
  /** Value and headers are whole. */
  readonly complete: boolean;
  /** Bytes of the original value. */
  readonly bytes: number;
}

const original = 'x-orig-';

export function readLetter(batch: RecordBatch, index: number): Letter {
  const about = new Map<string, string>();
  const headers: Header[] = [];
  for (const [name, content] of batch.headers(index))
    if (name.startsWith(original)) headers.push([name.slice(original.length), Buffer.from(content)]);
    else about.set(name, content.toString('utf8'));
  const text = (name: string): string | null => about.get(`x-dlq-${name}`) ?? null;
  const [key, value] = [copied(batch.key(index)), copied(batch.value(index))];
  const pointer = sizeOf(text('pointer'));
  const stage = text('class') ?? 'unknown';
  const command = stage === 'command' && value !== null ? commandOf(value) : null;
  const redriven = readRedriven(headers);
  const timestamp = Math.max(0, batch.timestamp(index));
  const letter = {
    place: { topic: batch.topic, partition: batch.partition, offset: batch.offset(index) },
    stage,
    service: text('service') ?? 'unknown',
    reason: text('reason') ?? 'unknown',
    error: text('error') ?? '',
    source: readPlace(text('source') ?? ''),
    attempts: countOf(text('attempts')),
    at: timeOf(text('at')) ?? timestamp,
    firstAt: timeOf(text('first-at')),
    commandId: text('command-id') ?? command?.id ?? null,
    part: text('part'),
    command,
    redrives: redriven?.count ?? 0,
    redriveOf: redriven?.of ?? null,
    firstSource: redriven?.source ?? null,
    key,
    value,
    headers,
    complete: pointer === null && text('headers-cut') === null,
    bytes: pointer ?? value?.length ?? 0,
  };
  return { id: idOf(letter), ...letter };
}

/**
 * A command fails once in a round under one code, wherever it was read from. Of other records the place counts, or the letter that they
 * were sent from: what was sent twice by one request comes back once. The error is part of the name where one record can fail more than
 * once under one reason: each rule for itself.
 */
function idOf(letter: Omit<Letter, 'id'>): string {
  const { stage, service, reason, error, source, command, part, redrives, redriveOf, place, key, value } =
    letter;
  const from =
    redriveOf !== null
      ? ['redriven', redriveOf, redrives]
      : source !== null && source.offset >= 0
        ? [source.topic, source.partition, source.offset]
        : source !== null
          ? [source.topic, source.partition, digest(key), digest(value)]
          : [place.topic, place.partition, place.offset];
  const name =
    command !== null
      ? ['command', command.type, command.id, command.round, reason, part]
      : [service, ...from, reason, part, stage === 'input' ? error : null];
  return digest(Buffer.from(JSON.stringify(name))).slice(0, 32);
}

function digest(bytes: Buffer | null): string {
  return bytes === null ? '-' : createHash('sha256').update(bytes).digest('hex');
}

/** Reads the command of a letter; null when it is none. */
export function readCommand(value: Buffer): Command | null {
  const parsed = parseJson(value);
  if (!parsed.ok || checkDocument('command.json', parsed.value).length > 0) return null;
  return parsed.value as unknown as Command;
}

function commandOf(value: Buffer): LetterCommand | null {
  const command = readCommand(value);
  if (command === null) return null;
  return {
    id: command.command_id,
    round: command.round ?? 1,
    type: command.type,
    action: command.action.id,
    rule: command.rule?.id ?? null,
    connection: command.connection ?? null,
    playbook: command.playbook?.id ?? null,
    run: command.playbook?.run ?? null,
    tenant: command.tenant ?? null,
  };
}

/** The bytes of a batch are views that may be used again. */
function copied(bytes: Buffer | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes);
}

function sizeOf(pointer: string | null): number | null {
  if (pointer === null) return null;
  const parsed = parseJson(Buffer.from(pointer));
  const size = parsed.ok ? parsed.value['size'] : null;
  return Number.isSafeInteger(size) ? (size as number) : 0;
}

function countOf(text: string | null): number {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : 0;
}

function timeOf(text: string | null): number | null {
  const at = text === null ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? null : at;
}
