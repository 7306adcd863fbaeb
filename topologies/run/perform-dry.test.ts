// A dry run: what would be sent is said, nothing else happens.
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import { expect, test } from 'vitest';
import type { Outcome } from '../domain/action/outcome.ts';
import { TemplateError } from '../domain/templates/parse.ts';
import { actionKit, failure, probeCommand, probeManifest, runsTopic } from '../testing/action-kit.ts';
import { topics } from '../topics.ts';
import type { ConnectionLookup } from './perform.ts';

const reply_to = { topic: runsTopic, partition: 0, key: 'run-1', token: 'run-1.1/send#0.1' };
const dry = (number: number) => probeCommand(number, { dry_run: true, reply_to, connection: 'c' });

const found: ConnectionLookup = async () => ({ config: {} as never, secrets: {} });

async function started(preview: () => Outcome, connection: ConnectionLookup = found) {
  const kit = actionKit(() => ({ status: 'done' }), {
    manifest: { ...probeManifest, connection: 'http' },
    preview,
  });
  await kit.worker({ connection });
  return kit;
}
const replies = (kit: Awaited<ReturnType<typeof started>>): unknown[] =>
  kit.log.records(runsTopic).map(({ value }) => JSON.parse(String(value)));

test('result and answer say what would be sent; no attempt, no ledger, no event, no letter', async () => {
  const kit = await started(() => ({ status: 'done', output: { url: 'https://x' }, warnings: ['w'] }));
  await kit.publish([dry(1)]);
  await kit.clock.advance(1_000);
  expect(kit.results()).toMatchObject([
    {
      status: 'succeeded',
      final: true,
      dry_run: true,
      attempt: 0,
      output: { url: 'https://x' },
      warnings: ['w'],
    },
  ]);
  for (const result of kit.results()) expect(checkDocument('result.json', result)).toEqual([]);
  expect(replies(kit)).toMatchObject([
    { status: 'succeeded', token: reply_to.token, output: { dry_run: true, would: { url: 'https://x' } } },
  ]);
  for (const reply of replies(kit)) expect(checkDocument('run-input.json', reply)).toEqual([]);
  expect([kit.calls, kit.effects.entries.size, kit.letters(), kit.log.records(topics.events.name)]).toEqual([
    [],
    0,
    [],
    [],
  ]);
  expect(kit.committed()).toBe(1);
});

test.each([
  ['what the action says', () => failure('invalid_params', 'never'), 'invalid_params'],
  ['what would be tried again', () => failure('secret', 'pause'), 'secret'],
  [
    'a template',
    () => {
      throw new TemplateError('syntax', 'path: unclosed');
    },
    'template',
  ],
  [
    'a defect',
    () => {
      throw new Error('defect');
    },
    'bug',
  ],
])('fails at once with %s', async (_, preview, code) => {
  const kit = await started(preview as () => Outcome);
  await kit.publish([dry(1)]);
  await kit.clock.advance(1_000);
  expect(kit.results()).toMatchObject([{ status: 'failed', code, dry_run: true }]);
  expect(replies(kit)).toMatchObject([{ status: 'failed', code }]);
  expect([kit.letters(), kit.committed()]).toEqual([[], 1]);
});

test('a connection that does not exist is the answer; one that cannot be looked up is waited for', async () => {
  const missing = await started(
    () => ({ status: 'done' }),
    async () => failure('unknown_connection'),
  );
  await missing.publish([dry(1)]);
  await missing.clock.advance(1_000);
  expect(missing.results()).toMatchObject([{ status: 'failed', code: 'unknown_connection' }]);
  let away = true;
  const kit = await started(
    () => ({ status: 'done' }),
    async (id) => {
      if (away) throw new Error('ECONNREFUSED');
      return found(id);
    },
  );
  await kit.publish([dry(1)]);
  await kit.clock.advance(5_000);
  expect([kit.results(), kit.committed()]).toEqual([[], -1]);
  away = false;
  await kit.clock.advance(2_000);
  expect([kit.results().length, kit.committed()]).toEqual([1, 1]);
});

test('a destination that is away, and an earlier command of the same id, are no matter', async () => {
  const kit = await started(() => ({ status: 'done', output: 1 }));
  await kit.effects.finish(dry(1).command_id, failure('http_4xx', 'never'), 0);
  await kit.publish([dry(1), dry(1)]);
  await kit.clock.advance(1_000);
  expect(kit.results().map(({ status }) => status)).toEqual(['succeeded', 'succeeded']);
});
