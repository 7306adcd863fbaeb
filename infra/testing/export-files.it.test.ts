// Exports to a data lake on a real disk, read by Apache Arrow's own implementation: what is there, by day, after repeats and after a full disk.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createFileStore } from '@tocsin/adapters/files/directory.ts';
import type { Command } from '@tocsin/schemas/types.ts';
import { exportAction } from '@tocsin/topologies/actions/export/execute.ts';
import type { FilesParams } from '@tocsin/topologies/actions/export/params.ts';
import type { Outcome } from '@tocsin/topologies/domain/action/outcome.ts';
import { eventCommand, findingNew, rowsCommand } from '@tocsin/topologies/testing/fixtures.ts';
import { hostileTexts } from '@tocsin/topologies/testing/hostile-texts.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { queryLake } from './python-lake.ts';
import { type Scratch, scratchFolder } from './scratch.ts';

let scratch: Scratch;
beforeEach(() => {
  scratch = scratchFolder('lake');
});
afterEach(() => scratch.remove());

function run(command: Command, files: FilesParams, maxBytes = 1024 ** 3): Promise<Outcome> {
  const lake = createFileStore({ folder: scratch.path, maxBytes, names: 'paths' });
  return exportAction.execute(
    { ...command, type: 'export', params: { sink: 'files', files } },
    {
      ports: { lake },
      connection: null,
      now: Date.now(),
      attempt: 1,
      signal: new AbortController().signal,
    },
  );
}

const filesBelow = (): string[] =>
  readdirSync(scratch.path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(scratch.path.length + 1))
    .sort();
const bytesBelow = (): Map<string, string> =>
  new Map(filesBelow().map((name) => [name, readFileSync(join(scratch.path, name), 'hex')]));

describe('A17: Parquet', () => {
  it.each(['snappy', 'none'] as const)(
    'compression %s: typed columns, days as partitions',
    async (compression) => {
      const files = { format: 'parquet', folder: 'soc/findings', compression } as const;
      await run(eventCommand({ tenant: 'acme' }), files);
      const yesterday = { ...findingNew, timestamp: '2026-04-27T23:59:59.999Z' };
      await run(eventCommand({ command_id: 'f'.repeat(32), event: yesterday }), files);
      const { schema, rows } = await queryLake('parquet', join(scratch.path, 'soc/findings'));
      expect(schema).toMatchObject({
        id: 'string not null',
        severity: 'string',
        timestamp: 'timestamp[ms, tz=UTC] not null',
        data: 'string not null',
      });
      expect(rows.map(({ dt, timestamp, command_id }) => [dt, timestamp, command_id])).toEqual([
        ['2026-04-27', '2026-04-27T23:59:59.999000+00:00', 'f'.repeat(32)],
        ['2026-04-28', '2026-04-28T12:00:00+00:00', eventCommand().command_id],
      ]);
      expect(rows[1]).toMatchObject({
        event: 'finding.new',
        severity: 'critical',
        asset: 'api.example.com',
        asset_id: 'a-1001',
        finding_id: 'f-91827',
        title: 'SQL Injection in /api/login',
        tenant: 'acme',
        rule: 'critical-findings',
      });
      expect(JSON.parse(String(rows[1]?.['data']))).toEqual(findingNew.data);
    },
  );

  it('thousands of rows, hostile texts and missing values come back as they were', async () => {
    const texts = Object.values(hostileTexts).map((text) => text.toWellFormed());
    const given = Array.from({ length: 3_000 }, (_, n) => ({
      n,
      ...(n % 3 === 0 ? {} : { title: texts[n % texts.length] }),
    }));
    await run(rowsCommand(given), { format: 'parquet' });
    const { rows } = await queryLake('parquet', join(scratch.path, 'findings'));
    expect(rows.map(({ title }) => title)).toEqual(given.map(({ title }) => title ?? null));
    expect(rows.map(({ data }) => JSON.parse(String(data)) as unknown)).toEqual(given);
  });
});

describe('A17: NDJSON', () => {
  it('is read line by line by a parser that is not ours', async () => {
    const given = [
      { n: 1, title: 'é "x" \u2028 \n' },
      { n: 2, title: '</script>' },
    ];
    await run(rowsCommand(given), { format: 'ndjson' });
    const { rows } = await queryLake('ndjson', join(scratch.path, filesBelow()[0] ?? ''));
    expect(rows.map(({ data }) => data)).toEqual(given);
    expect(rows.map(({ event, command_id }) => [event, command_id])).toEqual(
      Array(2).fill(['search.result', rowsCommand([]).command_id]),
    );
  });
});

describe('A17: duplicates after retry', () => {
  it.each(['ndjson', 'parquet'] as const)('%s: a repeat replaces its files by the same', async (format) => {
    const command = rowsCommand([
      { n: 1, timestamp: '2026-04-27T10:00:00Z' },
      { n: 2, timestamp: '2026-04-28T10:00:00Z' },
    ]);
    await run(command, { format });
    const before = bytesBelow();
    expect([...before.keys()]).toEqual(
      ['27', '28'].map((day) => `findings/dt=2026-04-${day}/${command.command_id}.${format}`),
    );
    expect(await run(command, { format })).toMatchObject({ status: 'done', output: { records: 2 } });
    expect(bytesBelow()).toEqual(before);
  });

  it('a folder that is full in the middle: the second attempt writes both days, each record once', async () => {
    const command = rowsCommand([
      { n: 1, timestamp: '2026-04-27T10:00:00Z' },
      { n: 2, timestamp: '2026-04-28T10:00:00Z', big: 'x'.repeat(10_000) },
    ]);
    const files = { format: 'parquet', compression: 'none' } as const;
    expect(await run(command, files, 5_000)).toMatchObject({ code: 'disk', retry: 'backoff' });
    expect(filesBelow()).toHaveLength(1);
    expect(await run(command, files)).toMatchObject({ status: 'done' });
    const { rows } = await queryLake('parquet', join(scratch.path, 'findings'));
    expect(rows.map(({ data }) => (JSON.parse(String(data)) as { n: number }).n)).toEqual([1, 2]);
  });
});
