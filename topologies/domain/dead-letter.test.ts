// A dead letter carries the original bytes and headers, and a pointer when the value is too large to keep.
import { createHash } from 'node:crypto';
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import { expect, test } from 'vitest';
import {
  type DeadLetter,
  deadLetterRecord,
  maxKeptBytes,
  pointerBytes,
  unreadableRecord,
} from './dead-letter.ts';

const letter: DeadLetter = {
  stage: 'input',
  reason: 'json_syntax',
  error: 'line one\nline two\u2028\u001b[31m',
  source: { topic: 'findings.v1', partition: 3, offset: 42 },
  service: 'evaluator',
  attempts: 1,
  at: Date.UTC(2026, 0, 2, 3, 4, 5),
  key: Buffer.from('k'),
  value: Buffer.from([0x22, 0xff, 0x22]),
  headers: [['trace', Buffer.from('abc')]],
};

const headersOf = (record: ReturnType<typeof deadLetterRecord>): Record<string, string> =>
  Object.fromEntries((record.headers ?? []).map(([name, value]) => [name, value.toString()]));

test('original bytes, valid headers, one line of error', () => {
  const record = deadLetterRecord(letter);
  expect(record.value).toBe(letter.value);
  expect(record.key).toBe(letter.key);
  const headers = headersOf(record);
  expect(checkDocument('dead-letter.json', headers)).toEqual([]);
  expect(headers['x-dlq-source']).toBe('findings.v1/3/42');
  expect(headers['x-dlq-error']).toBe('line one line two [31m');
  expect(headers['x-dlq-at']).toBe('2026-01-02T03:04:05.000Z');
  expect(headers['x-orig-trace']).toBe('abc');
});

test('a value that no broker would take becomes a pointer with its digest', () => {
  const value = Buffer.alloc(maxKeptBytes + 1, 7);
  const record = deadLetterRecord({ ...letter, value });
  expect((record.value as Buffer).length).toBe(pointerBytes);
  expect(JSON.parse(headersOf(record)['x-dlq-pointer'] ?? '')).toEqual({
    sha256: createHash('sha256').update(value).digest('hex'),
    size: maxKeptBytes + 1,
    kept: pointerBytes,
  });
});

test('header floods are cut and say so', () => {
  const headers = Array.from({ length: 5_000 }, (_, index) => [`h${index}`, Buffer.alloc(100)] as const);
  const record = deadLetterRecord({ ...letter, headers });
  expect(record.headers?.length).toBeLessThan(500);
  expect(headersOf(record)['x-dlq-headers-cut']).toBe('true');
});

test('offsets that cannot be decoded leave a record that names them', () => {
  const range = { topic: 'findings.v1', partition: 2, firstOffset: 10, nextOffset: 15, reason: 'checksum' };
  const headers = headersOf(unreadableRecord(range, { stage: 'input', service: 'evaluator', at: 0 }));
  expect(checkDocument('dead-letter.json', headers)).toEqual([]);
  expect(headers).toMatchObject({
    'x-dlq-reason': 'unreadable',
    'x-dlq-source': 'findings.v1/2/10',
    'x-dlq-error': 'offsets 10 to 14: checksum',
  });
});
