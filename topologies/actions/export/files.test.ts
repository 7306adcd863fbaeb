// Files of exports: what an independent reader finds in them, days, names, sameness, values that do not fit, and a disk that refuses.
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../domain/action/outcome.ts';
import { filePathPattern } from '../../ports/file-store.ts';
import { contextFor, contractNow, type Fakes, fakes } from '../../testing/action-fakes.ts';
import { eventCommand, findingNew, rowsCommand } from '../../testing/fixtures.ts';
import { hostileTexts } from '../../testing/hostile-texts.ts';
import { exportAction } from './execute.ts';
import type { FilesParams } from './params.ts';

async function run(
  command = eventCommand(),
  files: FilesParams = {},
  ports: Fakes = fakes(),
): Promise<{ outcome: Outcome; ports: Fakes }> {
  const given = { ...command, type: 'export', params: { sink: 'files', files } };
  const outcome = await exportAction.execute(given, contextFor(exportAction, ports));
  return { outcome, ports };
}

const only = (ports: Fakes): Buffer => {
  const contents = [...ports.lake.files.values()];
  expect(contents).toHaveLength(1);
  return contents[0] as Buffer;
};

const rowsIn = (file: Buffer): Promise<Record<string, unknown>[]> =>
  parquetReadObjects({ file: new Uint8Array(file).buffer });

describe('A17: files for a data lake', () => {
  it('NDJSON has one record in each line, in a folder of the day of the event', async () => {
    const { outcome, ports } = await run();
    expect([...ports.lake.files.keys()]).toEqual([
      'findings/dt=2026-04-28/0123456789abcdef0123456789abcdef.ndjson',
    ]);
    const text = only(ports).toString();
    expect(text.endsWith('}\n')).toBe(true);
    expect(JSON.parse(text)).toMatchObject({ ...findingNew, command_id: '0123456789abcdef0123456789abcdef' });
    expect(outcome).toMatchObject({
      status: 'done',
      ref: 'findings/dt=2026-04-28/0123456789abcdef0123456789abcdef.ndjson',
      output: {
        records: 1,
        files: [
          { records: 1, bytes: Buffer.byteLength(text), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
        ],
      },
    });
  });

  it('Parquet has typed columns, and the whole of data as JSON', async () => {
    const { ports } = await run(eventCommand({ tenant: 'acme' }), { format: 'parquet' });
    const [row, ...others] = await rowsIn(only(ports));
    expect(others).toEqual([]);
    expect(row).toEqual({
      id: 'findings.v1/0/42',
      event: 'finding.new',
      timestamp: new Date('2026-04-28T12:00:00Z'),
      severity: 'critical',
      asset: 'api.example.com',
      asset_id: 'a-1001',
      finding_id: 'f-91827',
      title: 'SQL Injection in /api/login',
      tenant: 'acme',
      source: 'findings.v1/0/42',
      rule: 'critical-findings',
      command_id: '0123456789abcdef0123456789abcdef',
      data: JSON.stringify(findingNew.data),
    });
    const { schema } = parquetMetadata(new Uint8Array(only(ports)).buffer);
    expect(schema.find(({ name }) => name === 'timestamp')).toMatchObject({
      type: 'INT64',
      converted_type: 'TIMESTAMP_MILLIS',
      repetition_type: 'REQUIRED',
    });
    expect(schema.find(({ name }) => name === 'severity')).toMatchObject({
      type: 'BYTE_ARRAY',
      converted_type: 'UTF8',
      repetition_type: 'OPTIONAL',
    });
  });

  it.each(['snappy', 'none'] as const)('compression %s gives the same rows', async (compression) => {
    const rows = Array.from({ length: 3000 }, (_, n) => ({ host: `h${n % 7}`, severity: 'low', n }));
    const { ports } = await run(rowsCommand(rows), { format: 'parquet', compression });
    const found = await rowsIn(only(ports));
    expect(found).toHaveLength(3000);
    expect(found.map(({ data }) => JSON.parse(String(data)))).toEqual(rows);
    expect(found.every(({ asset }, n) => asset === `h${n % 7}`)).toBe(true);
    const codecs = parquetMetadata(new Uint8Array(only(ports)).buffer).row_groups.flatMap(({ columns }) =>
      columns.map(({ meta_data }) => meta_data?.codec),
    );
    expect(new Set(codecs)).toEqual(new Set([compression === 'none' ? 'UNCOMPRESSED' : 'SNAPPY']));
  });

  it('records of several days are several files, in the order of the days', async () => {
    const command = rowsCommand([
      { n: 1, timestamp: '2026-11-28T23:59:59.999Z' },
      { n: 2, timestamp: '2026-11-29T00:30:00+01:00' },
      { n: 3, timestamp: '2026-11-29T00:00:00Z' },
    ]);
    const { outcome, ports } = await run(command, { folder: 'soc/hits' });
    const days = [...ports.lake.files].map(([name, content]) => [
      name,
      content
        .toString()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).data.n),
    ]);
    expect(days).toEqual([
      [`soc/hits/dt=2026-11-28/${command.command_id}.ndjson`, [1, 2]],
      [`soc/hits/dt=2026-11-29/${command.command_id}.ndjson`, [3]],
    ]);
    expect(outcome).toMatchObject({ output: { records: 3 } });
    const one = await run(command, { date: 'command' });
    expect([...one.ports.lake.files.keys()]).toEqual([`findings/dt=2026-04-28/${command.command_id}.ndjson`]);
  });

  it.each(['ndjson', 'parquet'] as const)(
    'a redelivered command writes the same %s bytes again',
    async (format) => {
      const ports = fakes();
      await run(eventCommand(), { format }, ports);
      const before = new Map(ports.lake.files);
      const given = { ...eventCommand(), type: 'export', params: { sink: 'files', files: { format } } };
      await exportAction.execute(
        given,
        contextFor(exportAction, ports, { now: contractNow + 86_400_000, attempt: 5 }),
      );
      expect(ports.lake.files).toEqual(before);
    },
  );
});

describe('values that do not fit', () => {
  it('a column takes text, numbers and truth values; what is none stands in data alone', async () => {
    const rows = [
      { severity: 7, title: true, asset: { name: ['x'] }, host: { name: 'h' } },
      { severity: { of: 'it' }, title: null, 'asset.name': 'flat', finding_id: '' },
      {},
    ];
    const { ports } = await run(rowsCommand(rows), { format: 'parquet' });
    const found = await rowsIn(only(ports));
    expect(
      found.map(({ severity, title, asset, finding_id }) => [severity, title, asset, finding_id]),
    ).toEqual([
      ['7', 'true', 'h', null],
      [null, null, 'flat', ''],
      [null, null, null, null],
    ]);
    expect(found.map(({ data }) => JSON.parse(String(data)))).toEqual(rows);
  });

  it.each(Object.values(hostileTexts))('%j comes back as it was, and adds no line', async (text) => {
    const rows = [{ title: text, [text]: 1 }];
    const lines = await run(rowsCommand(rows));
    const [line, end, ...more] = only(lines.ports).toString().split('\n');
    expect([end, more]).toEqual(['', []]);
    expect(JSON.parse(String(line)).data).toEqual(rows[0]);
    const table = await run(rowsCommand(rows), { format: 'parquet' });
    const [row] = await rowsIn(only(table.ports));
    expect(row?.['title']).toBe(text.toWellFormed());
  });

  it('a record above the limit is a letter of its own, and the command fails only without any other', async () => {
    const big = { big: 'x'.repeat(2000) };
    const { outcome, ports } = await run(rowsCommand([{ n: 1 }, big, { n: 3 }]), { max_event_bytes: 1024 });
    expect(outcome).toMatchObject({
      status: 'done',
      output: { records: 2 },
      undelivered: [
        {
          to: '0123456789abcdef0123456789abcdef-1',
          code: 'too_large',
          detail: expect.stringContaining('1024'),
        },
      ],
    });
    expect(only(ports).toString().trim().split('\n')).toHaveLength(2);
    const alone = await run(rowsCommand([big]), { max_event_bytes: 1024 });
    expect(alone.outcome).toMatchObject({ status: 'failed', code: 'too_large', retry: 'never' });
    expect(alone.ports.lake.files.size).toBe(0);
  });

  it('no rows are no files', async () => {
    const { outcome, ports } = await run(rowsCommand([]));
    expect(outcome).toMatchObject({ status: 'done', output: { records: 0 } });
    expect(ports.lake.files.size).toBe(0);
  });
});

describe('the store', () => {
  it('the names of the files are names that the store has', async () => {
    const { ports } = await run(eventCommand(), { folder: 'a/b/c/d/e/region=eu' });
    for (const name of ports.lake.files.keys()) expect(name).toMatch(filePathPattern);
  });

  it.each([
    ['EDQUOT', 'the export folder is full'],
    ['ENOSPC', 'the export could not be written: ENOSPC'],
    ['ENOTDIR', 'the export could not be written: ENOTDIR'],
  ])('%s is tried again later', async (code, detail) => {
    const ports = fakes();
    ports.lake.fail(Object.assign(new Error('no'), { code }));
    const { outcome } = await run(eventCommand(), {}, ports);
    expect(outcome).toEqual({ status: 'failed', code: 'disk', retry: 'backoff', detail });
  });

  it('a dry run names the files with their sums and shows how they begin', async () => {
    const command = { ...eventCommand(), type: 'export', params: { sink: 'files' } };
    const dry = exportAction.preview(command, { connection: null, now: contractNow });
    const { ports, outcome } = await run();
    expect(dry).toMatchObject({ output: { files: [{ beginning: only(ports).toString() }] } });
    expect(outcome.status === 'done' && outcome.ref).toBe(dry.status === 'done' && dry.ref);
  });
});
