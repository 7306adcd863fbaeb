// Runs in chunks through the whole system in memory: crashes of the collector, a store that loses everything, an hour that passes.
import type { Command, Result } from '@tocsin/schemas/types.ts';
import { expect, test } from 'vitest';
import type { ConfigDocument } from '../domain/config/config-table.ts';
import { startDrive } from '../testing/drive.ts';
import { commandTopic, topics } from '../topics.ts';

const documents: ConfigDocument[] = [
  { kind: 'action', id: 'write', type: 'log', params: {} },
  {
    kind: 'rule',
    id: 'logins',
    source: 'search-results',
    when: { failed: { gte: 50 } },
    then: [
      { action: 'write', key: 'whole', mode: 'all' },
      { action: 'write', mode: 'first' },
      { action: 'write', key: 'rows', mode: 'each' },
    ],
  },
];
const rows = [412, 7, 97, 3, 60, 51].map((failed, n) => ({ host: `dc-${n}`, failed }));
const chunk = (number: number, run = 'r1') => ({
  job_id: 'j',
  run_id: run,
  chunk: number,
  chunks: 3,
  row_base: number * 2,
  rows: rows.slice(number * 2, number * 2 + 2),
});

const finals = (drive: Awaited<ReturnType<typeof startDrive>>): Result[] =>
  (drive.read(topics.results) as Result[]).filter(({ final }) => final);

// Repeated chunks give repeated commands of mode each, which their ids stop.
const succeeded = (drive: Awaited<ReturnType<typeof startDrive>>): Result[] =>
  finals(drive).filter(({ status }) => status === 'succeeded');

/** Commands over a whole run that were carried out. */
const wholes = (drive: Awaited<ReturnType<typeof startDrive>>): string[] => {
  const commands = drive.read(commandTopic('log')) as Command[];
  return succeeded(drive).flatMap(({ command_id: id, mode }) => {
    const { rows: held = [], total_rows } =
      commands.find(({ command_id }) => command_id === id)?.subject ?? {};
    return mode === 'all' ? [`${held.length} of ${total_rows}`] : [];
  });
};

const reasons = (drive: Awaited<ReturnType<typeof startDrive>>): (string | undefined)[] =>
  drive.log
    .records(topics.deadLetters.name)
    .map(({ headers }) => headers.find(([name]) => name === 'x-dlq-reason')?.[1].toString());

test('three chunks out of order, repeated: one command over all rows, one for the first, one for each', async () => {
  const drive = await startDrive({ documents });
  for (const number of [2, 0, 0, 1, 2]) await drive.publish(topics.searchResults, chunk(number), 'j');
  await drive.advance(1_000);
  expect(wholes(drive)).toEqual(['4 of 6']);
  const modes = succeeded(drive).map(({ mode, row_index, rows: count }) => `${mode} ${row_index} ${count}`);
  expect(modes.sort()).toEqual(
    ['all all 4', 'each 0 1', 'each 2 1', 'each 4 1', 'each 5 1', 'first 0 1'].sort(),
  );
  expect(reasons(drive)).toEqual([]);
  const outcome = (name: string) => drive.metrics.total('tocsin_collection_inputs_total', { outcome: name });
  expect(['collected', 'triggered', 'repeated', 'after_end'].map(outcome)).toEqual([3, 2, 1, 4]);
  expect(drive.metrics.total('tocsin_commands_total', { type: 'log' })).toBe(
    drive.log.records(commandTopic('log').name).length,
  );
  const triggered = (drive.read(topics.events) as { id: string; event: string }[]).flatMap(({ id, event }) =>
    event === 'action.triggered' ? [id] : [],
  );
  expect(new Set(triggered)).toEqual(
    new Set(succeeded(drive).map(({ command_id }) => `${command_id}.triggered`)),
  );
  await drive.advance(7_200_000);
  expect([wholes(drive).length, reasons(drive)]).toEqual([1, []]);
  await drive.stop();
});

test('the collector dies and its store is emptied between chunks: the same command, once', async () => {
  const drive = await startDrive({ documents });
  const calm = await startDrive({ documents });
  for (const number of [0, 1, 2]) {
    await drive.publish(topics.searchResults, chunk(number), 'j');
    await calm.publish(topics.searchResults, chunk(number), 'j');
    if (number !== 1) await drive.advance(1_000);
    await drive.crash('collector');
    drive.states.flush();
    await drive.advance(60_000);
    await calm.advance(1_000);
  }
  expect(drive.metrics.total('tocsin_fold_rebuilds_total')).toBeGreaterThan(0);
  expect(wholes(drive)).toEqual(['4 of 6']);
  const ids = (one: typeof drive) =>
    finals(one)
      .filter(({ mode }) => mode !== 'each')
      .map(({ command_id }) => command_id)
      .sort();
  expect(ids(drive)).toEqual(ids(calm));
  expect(reasons(drive)).toEqual([]);
  await drive.stop();
  await calm.stop();
});

test('an hour after the last chunk the run is given up, also when the collector died meanwhile', async () => {
  const drive = await startDrive({ documents });
  await drive.publish(topics.searchResults, { ...chunk(1), rows: [] }, 'j');
  await drive.advance(1_000);
  await drive.crash('collector');
  await drive.advance(1_800_000);
  await drive.publish(topics.searchResults, chunk(2), 'j');
  await drive.advance(3_590_000);
  expect(reasons(drive)).toEqual([]);
  await drive.advance(20_000);
  expect(reasons(drive)).toEqual(['incomplete_run', 'incomplete_run']);
  expect(drive.metrics.total('tocsin_dead_letters_total', { service: 'collector' })).toBe(2);
  expect(wholes(drive)).toEqual([]);
  for (const number of [0, 1, 2]) await drive.publish(topics.searchResults, chunk(number), 'j');
  await drive.advance(1_000);
  expect(wholes(drive)).toEqual(['4 of 6']);
  await drive.stop();
});

test('what is no input of the collector, and a chunk that is too large, hold nobody up', async () => {
  const drive = await startDrive({ documents });
  await drive.publish(topics.collections, '{"kind":"chunk"', 'k');
  await drive.publish(topics.collections, { kind: 'chunk' }, 'k');
  await drive.publish(topics.collections, { kind: 'timer', token: 't', due: 1 }, null);
  // Below the 1 MiB that the evaluator reads, and above what a command holds, in each of the three modes.
  const large = { host: 'x'.repeat(900_000), failed: 99, note: 'y'.repeat(100_000) };
  await drive.publish(topics.searchResults, { ...chunk(0, 'large'), rows: [large] }, 'j');
  for (const number of [0, 1, 2]) await drive.publish(topics.searchResults, chunk(number), 'j');
  await drive.advance(1_000);
  expect(reasons(drive).sort()).toEqual([
    'command_too_large',
    'command_too_large',
    'command_too_large',
    'invalid_input',
    'no_key',
    'not_json',
  ]);
  expect(wholes(drive)).toEqual(['4 of 6']);
  await drive.stop();
});

test('rows that together are more than a command holds: a dead letter with the counts, other runs go on', async () => {
  const drive = await startDrive({ documents });
  const wide = (number: number) => ({
    ...chunk(number, 'wide'),
    rows: [{ host: 'x'.repeat(400_000), failed: 99 }],
  });
  for (const number of [0, 1, 2]) await drive.publish(topics.searchResults, wide(number), 'j');
  for (const number of [0, 1, 2]) await drive.publish(topics.searchResults, chunk(number), 'j');
  await drive.advance(1_000);
  expect(reasons(drive)).toEqual(['command_too_large']);
  const [letter] = drive.log.records(topics.deadLetters.name);
  const error = letter?.headers.find(([name]) => name === 'x-dlq-error')?.[1].toString();
  expect(error).toMatch(
    /^run j\/wide, rule logins, action write: 3 of 3 rows in 3 chunks match and have 1200\d\d\d bytes;/,
  );
  expect(wholes(drive)).toEqual(['4 of 6']);
  await drive.stop();
});
