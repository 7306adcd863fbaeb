// Dead letters read, named, and sent back: what comes twice is one letter, and what goes back is what it was.
import { describe, expect, test } from 'vitest';
import { memoryBatch } from '../../ports/fakes/record-batch.ts';
import type { Header } from '../../ports/log.ts';
import {
  commandLetter,
  findingLetter,
  headerBytes,
  letterCommand,
  letterTime,
  readLetterOf,
} from '../../testing/letters.ts';
import { commandTopic, topics } from '../../topics.ts';
import { type DeadLetter, maxKeptBytes } from '../dead-letter.ts';
import { type Letter, readLetter } from './read-letter.ts';
import {
  duplicateReason,
  mostRedrives,
  type RedriveCandidate,
  redriveObstacle,
  redriveRecord,
} from './redrive.ts';
import { readPlace, readRedriven } from './redriven.ts';

const at = letterTime;
const finding = findingLetter;
const command = letterCommand;
const failed = commandLetter;
const read = readLetterOf;

/** The record that the letter is sent back as, failed again in the same way. */
function failedAgain(letter: DeadLetter, sentFrom: Letter, source: DeadLetter['source']): DeadLetter {
  const { key, value, headers } = sentBack(sentFrom);
  return {
    ...letter,
    source,
    key: key as Buffer | null,
    value: value as Buffer | null,
    headers: headerBytes(headers),
  };
}

const sentBack = (letter: Letter, round: number | null = null) =>
  redriveRecord({
    ...letter,
    source: letter.source as NonNullable<Letter['source']>,
    value: letter.value as Buffer,
    round,
  });

const headersOf = (record: ReturnType<typeof sentBack>) =>
  (record.headers ?? []).map(([name, content]) => [name, Buffer.from(content as string).toString('latin1')]);

describe('a letter', () => {
  test('says what its headers say, and holds key, bytes and headers as they were', () => {
    expect(read(finding)).toMatchObject({
      stage: 'input',
      service: 'evaluator',
      reason: 'json_syntax',
      error: 'unexpected end',
      source: finding.source,
      attempts: 1,
      at,
      firstAt: null,
      commandId: null,
      command: null,
      redrives: 0,
      complete: true,
      bytes: 3,
      key: finding.key,
      value: finding.value,
      headers: finding.headers,
    });
  });

  test('of a command says what the command says of itself', () => {
    expect(read(failed)).toMatchObject({
      firstAt: at - 60_000,
      commandId: command.command_id,
      command: {
        id: command.command_id,
        round: 1,
        type: 'webhook',
        action: 'notify',
        rule: 'critical-findings',
        connection: 'hook',
        playbook: 'contain',
        run: 'contain:f1',
        tenant: 'acme',
      },
    });
  });

  test('about too large a value is not whole, and knows its size', () => {
    const large = read({ ...finding, value: Buffer.alloc(maxKeptBytes + 1, 'x') });
    expect(large).toMatchObject({ complete: false, bytes: maxKeptBytes + 1 });
    expect(read({ ...finding, headers: [['h', Buffer.alloc(40_000)]] }).complete).toBe(false);
  });

  test('is read from anything: no headers, nonsense in them, nothing at all', () => {
    const place = { topic: 'dead-letters.v1', partition: 0 };
    const record = { ...place, offset: 9, timestamp: -1, key: null, value: null, headers: [] };
    const bare = readLetter(memoryBatch(place, [record], 10), 0);
    expect(bare).toMatchObject({ stage: 'unknown', reason: 'unknown', source: null, at: 0, attempts: 0 });
    const headers: Header[] = [
      ['x-dlq-source', 'findings.v1/-3/x'],
      ['x-dlq-at', 'soon'],
      ['x-dlq-attempts', '1e9'],
      ['x-dlq-pointer', '{"size":"many"}'],
      ['x-dlq-class', 'command'],
    ].map(([name, text]) => [name as string, Buffer.from(text as string)]);
    const odd = readLetter(memoryBatch(place, [{ ...record, value: Buffer.from('{'), headers }], 10), 0);
    expect(odd).toMatchObject({ source: null, at: 0, attempts: 0, complete: false, command: null });
    expect(odd.id).not.toBe(readLetter(memoryBatch(place, [{ ...record, offset: 8 }], 10), 0).id);
  });
});

describe('the id of a letter', () => {
  test('is the same when the letter is written again', () => {
    expect(read(finding).id).toBe(read({ ...finding, at: at + 9_000 }).id);
    expect(read(failed).id).toBe(read({ ...failed, at: at + 9_000, attempts: 1 }).id);
  });

  test('of a command does not depend on where it was read or on the words', () => {
    const held = { ...failed, reason: 'uncertain', error: 'it may have happened and is not repeated' };
    const again = {
      ...held,
      error: 'an earlier attempt was begun and its outcome is not known',
      source: { ...failed.source, offset: 8 },
    };
    expect(read(held).id).toBe(read(again).id);
  });

  test.each([
    ['another record', finding, { ...finding, source: { ...finding.source, offset: 43 } }],
    ['another service', finding, { ...finding, service: 'sinks/a' }],
    ['another reason', finding, { ...finding, reason: 'utf8' }],
    ['another rule of the same record', finding, { ...finding, error: 'rule b' }],
    ['another code of a command', failed, { ...failed, reason: 'timeout' }],
    ['another recipient of a command', { ...failed, part: 'a@x' }, { ...failed, part: 'b@x' }],
    [
      'another round of a command',
      failed,
      { ...failed, value: Buffer.from(JSON.stringify({ ...command, round: 2 })) },
    ],
    [
      'another timer without a place',
      { ...finding, source: { ...finding.source, offset: -1 } },
      { ...finding, source: { ...finding.source, offset: -1 }, value: Buffer.from('{') },
    ],
  ])('is another one for %s', (_what, one, other) => {
    expect(read(one as DeadLetter).id).not.toBe(read(other as DeadLetter).id);
  });

  test('of what was sent twice by one request is one, wherever the copies are', () => {
    const first = read(finding);
    const copies = [100, 101].map((offset) =>
      read(failedAgain(finding, first, { ...finding.source, offset })),
    );
    expect(copies[0]?.id).toBe(copies[1]?.id);
    expect(copies[0]).toMatchObject({ redrives: 1, redriveOf: first.id, firstSource: finding.source });
    expect(copies[0]?.id).not.toBe(first.id);
  });
});

describe('sent back', () => {
  test('to the original topic with key, bytes and headers, and headers that say so', () => {
    const letter = read(finding);
    const record = sentBack(letter);
    expect([record.topic, record.key, record.value]).toEqual(['findings.v1', finding.key, finding.value]);
    expect(headersOf(record)).toEqual([
      ['trace', '\x01\x02'],
      ['x-redrive-of', letter.id],
      ['x-redrive-count', '1'],
      ['x-redrive-source', 'findings.v1/3/42'],
      ['x-redrive-for', 'evaluator'],
    ]);
  });

  test('again and again: the count grows, the first place stays, no header comes twice', () => {
    let letter = read(finding);
    for (let hop = 1; hop <= 3; hop += 1)
      letter = read(failedAgain(finding, letter, { ...finding.source, offset: 1_000 + hop }));
    expect(letter).toMatchObject({ redrives: 3, firstSource: finding.source });
    const record = sentBack(letter);
    const names = headersOf(record).map(([name]) => name);
    expect(names).toEqual([...new Set(names)]);
    expect(headersOf(record)).toContainEqual(['x-redrive-count', '4']);
    expect(headersOf(record)).toContainEqual(['x-redrive-source', 'findings.v1/3/42']);
  });

  test('a command goes in the round that is asked for and changes in nothing else', () => {
    const record = sentBack(read(failed), 4);
    expect(JSON.parse(String(record.value))).toEqual({ ...command, round: 4 });
    expect(record.topic).toBe(commandTopic('webhook').name);
  });

  test('what is no command goes back as it is', () => {
    const poison = { ...failed, reason: 'invalid_command', value: Buffer.from('{"v":1,"a":1e400}') };
    expect(sentBack(read(poison), 2).value).toEqual(poison.value);
  });
});

describe('whether a letter can be sent back', () => {
  const candidate = (over: Partial<RedriveCandidate> = {}): RedriveCandidate => ({
    stage: 'input',
    service: 'evaluator',
    reason: 'json_syntax',
    source: finding.source,
    part: null,
    complete: true,
    hasValue: true,
    redrives: 0,
    at,
    ...over,
  });
  const from = (topic: string) => ({ source: { topic, partition: 0, offset: 1 } });

  test.each([
    ['no_bytes', { hasValue: false }],
    ['cut', { complete: false }],
    ['no_source', { source: null }],
    ['other_topic', from(topics.runEvents.name)],
    ['other_topic', from(topics.collectionChanges.name)],
    ['other_topic', from(topics.config.name)],
    ['other_topic', from(topics.deadLetters.name)],
    ['other_topic', from('commands.UP.v1')],
    ['put_together', { service: 'collector', reason: 'incomplete_run', ...from(topics.collections.name) }],
    ['part', { part: 'a@example.org' }],
    ['too_often', { redrives: mostRedrives }],
    [null, {}],
    [null, from(topics.runs.name)],
    [null, from(commandTopic('tag').name)],
    [null, { service: 'collector', reason: 'not_json', ...from(topics.collections.name) }],
    [null, { redrives: mostRedrives - 1 }],
  ] as const)('%s', (obstacle, over) => {
    expect(redriveObstacle(candidate(over))).toBe(obstacle);
  });

  const week = 7 * 24 * 3_600_000;
  test.each([
    ['uncertain', { stage: 'command', reason: 'uncertain' }, 0],
    ['unrecorded', { stage: 'command', reason: 'unrecorded' }, 0],
    [null, { stage: 'command', reason: 'http_5xx' }, 10 * week],
    ['forgotten', { reason: 'fanout_limit' }, week + 1],
    [null, { reason: 'fanout_limit' }, week],
    [null, { reason: 'invalid_envelope' }, week + 1],
    [null, { reason: 'json_syntax' }, week + 1],
    [null, { service: 'sinks/a', reason: 'fanout_limit' }, week + 1],
  ] as const)('a duplicate is possible: %s', (why, over, age) => {
    expect(duplicateReason(candidate(over), at + age)).toBe(why);
  });
});

describe('headers of a record that was sent again', () => {
  const headers = (over: Record<string, string> = {}): Header[] =>
    Object.entries({
      'x-redrive-of': 'a',
      'x-redrive-count': '2',
      'x-redrive-source': 'findings.v1/0/5',
      'x-redrive-for': 'sinks/a',
      ...over,
    }).map(([name, text]) => [name, Buffer.from(text)]);

  test('are all there, or count for nothing', () => {
    const source = { topic: 'findings.v1', partition: 0, offset: 5 };
    expect(readRedriven(headers())).toEqual({ of: 'a', count: 2, source, for: 'sinks/a' });
    for (let index = 0; index < 4; index += 1) expect(readRedriven(headers().toSpliced(index, 1))).toBeNull();
  });

  test.each([
    ['x-redrive-count', '0'],
    ['x-redrive-count', '-1'],
    ['x-redrive-count', '1234567'],
    ['x-redrive-source', 'findings.v1/0'],
    ['x-redrive-source', 'a b/0/1'],
    ['x-redrive-source', 'findings.v1/0/99999999999999999'],
  ])('%s: %s is none', (name, text) => {
    expect(readRedriven(headers({ [name]: text }))).toBeNull();
  });

  test('a place is topic, partition and offset', () => {
    expect(readPlace('a.b-c_d/12/-1')).toEqual({ topic: 'a.b-c_d', partition: 12, offset: -1 });
    expect(readPlace('a/b/1/2')).toBeNull();
    expect(readPlace('a/1/9007199254740993')).toBeNull();
  });
});
