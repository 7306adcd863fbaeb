// Runs of playbooks: which there are, and what each has done.
import type { ChangeRecord, RunRecord } from '@tocsin/adapters/postgres/run-search.ts';
import type { FastifyInstance } from 'fastify';
import type { Dependencies } from '../dependencies.ts';
import { type ExportFormat, formatQuery, sendRows } from '../export.ts';
import { isRunKey, knownRun } from '../known-run.ts';
import { limitOf, pageOf, pageQuery } from '../paging.ts';
import { filterOf, type RunQuery, runQuery } from '../run-query.ts';

type Page = { readonly cursor?: string; readonly limit?: string };
type Params = { readonly key: string };
type Numbered = { readonly number?: string };

const numberQuery = {
  type: 'string',
  pattern: '^(0|[1-9][0-9]{0,11})$',
  description: 'One run of the key; without it the newest. 0: inputs that met no run.',
} as const;

const changeColumns = [
  'key',
  'number',
  'version',
  'input_offset',
  'seq',
  'at',
  'what',
  'step',
  'place',
  'status',
  'actor',
  'decision_id',
  'facts',
];

/** A run as lists show it. */
export function shownRun(run: RunRecord): Record<string, unknown> {
  return Object.fromEntries(Object.entries(run).filter(([, value]) => value !== null));
}

export function runRoutes(
  app: FastifyInstance,
  { runs, audit, paging }: Pick<Dependencies, 'runs' | 'audit' | 'paging'>,
): void {
  const read = { access: 'read:runs' } as const;

  const known = (key: string, number?: number) => knownRun({ runs, audit }, key, number);

  app.get<{ Querystring: RunQuery & Page }>(
    '/api/runs',
    {
      config: read,
      schema: {
        summary: 'Search runs, newest first',
        tags: ['runs'],
        querystring: {
          type: 'object',
          additionalProperties: false,
          properties: { ...runQuery, ...pageQuery },
        },
      },
    },
    async (request) => {
      const { cursor, limit: _, ...query } = request.query;
      const filter = filterOf(query);
      const list = `runs/${JSON.stringify(Object.entries(query).sort())}`;
      const limit = limitOf(request.query);
      const [startedAt, key, number] = paging.decode(list, cursor) ?? [];
      const found = await runs.list(filter, {
        limit: limit + 1,
        ...(startedAt === undefined || key === undefined
          ? {}
          : { before: { startedAt: new Date(startedAt), key, number: Number(number) } }),
      });
      const page = pageOf(found, limit, (last) =>
        paging.encode(list, [last.started_at.toISOString(), last.key, String(last.number)]),
      );
      return { ...page, items: page.items.map(shownRun) };
    },
  );

  app.get<{ Params: Params; Querystring: Numbered }>(
    '/api/runs/:key',
    {
      config: read,
      schema: {
        summary: 'One run with its state',
        tags: ['runs'],
        querystring: { type: 'object', additionalProperties: false, properties: { number: numberQuery } },
      },
    },
    async (request) => {
      const run = await known(request.params.key, numberOf(request.query));
      return { ...shownRun(run), numbers: await runs.numbers(run.key) };
    },
  );

  app.get<{ Params: Params; Querystring: Numbered & Page }>(
    '/api/runs/:key/history',
    {
      config: read,
      schema: {
        summary: 'Everything that happened in a run, in order',
        tags: ['runs'],
        querystring: {
          type: 'object',
          additionalProperties: false,
          properties: { ...pageQuery, number: numberQuery },
        },
      },
    },
    async (request) => {
      const { key, number } = await whichRun(request.params.key, request.query);
      const list = `runs/${key}/${number}/history`;
      const limit = limitOf(request.query);
      const [version, offset, seq] = (paging.decode(list, request.query.cursor) ?? []).map(Number);
      const found = await runs.changes(key, number, {
        limit: limit + 1,
        ...(version === undefined || offset === undefined || seq === undefined
          ? {}
          : { after: { version, offset, seq } }),
      });
      const page = pageOf(found, limit, (last) =>
        paging.encode(list, [last.version, last.input_offset, last.seq].map(String)),
      );
      return { ...page, items: page.items.map(shownChange) };
    },
  );

  app.get<{ Params: Params; Querystring: Numbered & { format?: ExportFormat } }>(
    '/api/runs/:key/export',
    {
      config: read,
      schema: {
        summary: 'The history of a run as a file',
        tags: ['runs'],
        querystring: {
          type: 'object',
          additionalProperties: false,
          properties: { number: numberQuery, format: formatQuery },
        },
      },
    },
    async (request, reply) => {
      const { key, number } = await whichRun(request.params.key, request.query);
      const { format = 'ndjson' } = request.query;
      return sendRows(
        reply,
        format,
        `run-${key.replace(/[^\w-]/g, '_')}-${number}`,
        changeColumns,
        allChanges(key, number),
      );
    },
  );

  /** The run of the path, or with number 0 the inputs of the key that met none. */
  async function whichRun(key: string, query: Numbered): Promise<{ key: string; number: number }> {
    const number = numberOf(query);
    if (number === 0 && isRunKey(key)) return { key, number };
    const run = await known(key, number);
    return { key: run.key, number: run.number };
  }

  async function* allChanges(key: string, number: number): AsyncGenerator<Record<string, unknown>[]> {
    let last: ChangeRecord | undefined;
    do {
      const page: ChangeRecord[] = await runs.changes(key, number, {
        limit: 500,
        ...(last === undefined
          ? {}
          : { after: { version: last.version, offset: last.input_offset, seq: last.seq } }),
      });
      last = page.at(-1);
      yield page.map((change) => ({ key, ...change }));
    } while (last !== undefined);
  }
}

function numberOf({ number }: Numbered): number | undefined {
  return number === undefined ? undefined : Number(number);
}

function shownChange(change: ChangeRecord): Record<string, unknown> {
  const {
    facts,
    seq: _,
    input_offset: __,
    ...rest
  } = change as ChangeRecord & {
    readonly facts: Readonly<Record<string, unknown>>;
  };
  const own = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null));
  return { ...facts, ...own };
}
