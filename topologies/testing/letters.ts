// Dead letters for tests, read from the record that would be written.
import { type DeadLetter, deadLetterRecord } from '../domain/dead-letter.ts';
import { type Letter, readLetter } from '../domain/dead-letters/read-letter.ts';
import { memoryBatch } from '../ports/fakes/record-batch.ts';
import type { Header, OutRecord } from '../ports/log.ts';
import { topics } from '../topics.ts';
import { eventCommand } from './fixtures.ts';

export const letterTime = Date.UTC(2026, 3, 28, 12);

/** Of a finding that is no JSON. */
export const findingLetter: DeadLetter = {
  stage: 'input',
  reason: 'json_syntax',
  error: 'unexpected end',
  source: { topic: topics.findings.name, partition: 3, offset: 42 },
  service: 'evaluator',
  attempts: 1,
  at: letterTime,
  key: Buffer.from([0xff, 0x00]),
  value: Buffer.from([0x7b, 0x22, 0xff]),
  headers: [['trace', Buffer.from([1, 2])]],
};

export const letterCommand = eventCommand({
  connection: 'hook',
  playbook: { id: 'contain', revision: 2, run: 'contain:f1', number: 1, step: 'tell#0' },
  tenant: 'acme',
});

/** Of that command, which failed in the end. */
export const commandLetter: DeadLetter = {
  ...findingLetter,
  stage: 'command',
  reason: 'http_5xx',
  error: 'gave up after 10 attempts',
  source: { topic: 'commands.webhook.v1', partition: 1, offset: 7 },
  service: 'actions/webhook',
  attempts: 10,
  firstAt: letterTime - 60_000,
  commandId: letterCommand.command_id,
  key: Buffer.from('a-1001'),
  value: Buffer.from(JSON.stringify(letterCommand)),
  headers: [],
};

let offset = 0;

/** As the recorder reads it; written at another offset each time. */
export function readLetterOf(letter: DeadLetter): Letter {
  const { key, value, headers } = deadLetterRecord(letter);
  const place = { topic: topics.deadLetters.name, partition: 0 };
  const record = {
    ...place,
    offset: offset++,
    timestamp: letter.at + 5,
    key: key as Buffer | null,
    value: value as Buffer | null,
    headers: headerBytes(headers),
  };
  return readLetter(memoryBatch(place, [record], offset), 0);
}

/** Headers of a record as they are read. */
export function headerBytes(headers: OutRecord['headers'] = []): Header[] {
  return headers.map(([name, content]) => [name, Buffer.from(content as string)]);
}
