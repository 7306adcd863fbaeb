// Runs of playbooks: which there are, what each has done, and what operators do to them.
import type { AuditEntry } from '@tocsin/adapters/postgres/config-store.ts';
import type { ChangeRecord, RunRecord } from '@tocsin/adapters/postgres/run-search.ts';
import type { RunInput } from '@tocsin/schemas/types.ts';
import type { FastifyInstance } from 'fastify';
import type { Dependencies } from '../dependencies.ts';
import { ApiError, notFound } from '../errors.ts';
import { type ExportFormat, formatQuery, sendRows } from '../export.ts';
import { limitOf, pageOf, pageQuery } from '../paging.ts';
import type { RunInputs } from '../run-inputs.ts';
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

const verbs = {
  pause: {
    summary: 'Pause a run: no step starts, what comes in is kept',
    fields: {
      reason: { type: 'string', maxLength: 4096 },
      extend: { type: 'boolean', description: 'Deadlines move by the time of the pause.' },
    },
  },
  resume: { summary: 'Go on with a paused run', fields: {} },
  cancel: {
    summary: 'Cancel a run',
    fields: {
      reason: { type: 'string', maxLength: 4096 },
      compensate: { type: 'boolean', description: 'What was done is undone, the last first.' },
    },
  },
  retry: {
    summary: 'Try steps that wait for an operator again, under the same command ids',
    fields: {
      step: { type: 'string', minLength: 1, maxLength: 1024, description: 'Id or place; all without it.' },
    },
  },
  skip: {
    summary: 'End a step that has begun as skipped, with an output',
    required: ['step'],
    fields: {
      step: { type: 'string', minLength: 1, maxLength: 1024, description: 'Id or place.' },
      output: { type: 'object' },
    },
  },
} as const;

export function runRoutes(
  app: FastifyInstance,
  { runs, audit, paging }: Pick<Dependencies, 'runs' | 'audit' | 'paging'>,
  inputs: RunInputs,
): void {
  const read = { access: 'read:runs' } as const;
  const write = { access: 'write:runs' } as const;

  /** Throws 404; says so when the run was started here and the recorder has not told of it yet. */
  async function known(key: string, number?: number): Promise<RunRecord> {
    if (!/^[\w.:@-]{1,256}$/.test(key)) throw notFound();
    const run = await runs.get(key, number);
    if (run !== null) return run;
    const [refused] = (await runs.changes(key, 0, { limit: 200 })).slice(-1);
    if (refused !== undefined && number === undefined) {
      const { reason } = refused['facts'] as { reason?: unknown };
      throw new ApiError(404, 'not_started', `the run was not started: ${String(reason ?? refused['what'])}`);
    }
    const page = { limit: 1, order: 'newest' } as const;
    const [started] = await audit.list({ object: `run/${key}`, verb: 'start' }, page);
    if (started === undefined || number !== undefined) throw notFound();
    throw new ApiError(
      404,
      'not_yet',
      `the start of this run was accepted at ${started.at.toISOString()}; its first step is not recorded yet`,
      { headers: { 'retry-after': '1' } },
    );
  }

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
    if (number === 0 && /^[\w.:@-]{1,256}$/.test(key)) return { key, number };
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

  for (const [verb, about] of Object.entries(verbs))
    app.post<{ Params: Params; Body: Record<string, unknown> }>(
      `/api/runs/:key/${verb}`,
      {
        config: write,
        schema: {
          summary: about.summary,
          tags: ['runs'],
          body: {
            type: 'object',
            additionalProperties: false,
            ...('required' in about ? { required: about.required } : {}),
            properties: about.fields,
          },
        },
      },
      async (request, reply) => {
        const { actor, body } = request;
        const run = await known(request.params.key);
        if (run.ended_at !== null)
          throw new ApiError(409, 'over', `run ${run.number} of this key is over: ${run.status}`);
        const input = { kind: verb, by: actor.id, ...body } as RunInput;
        const entry: AuditEntry = { verb, object: `run/${run.key}`, detail: { number: run.number, ...body } };
        await inputs.send(actor, entry, [{ key: run.key, input }]);
        return reply.code(202).send({ key: run.key, number: run.number, verb });
      },
    );
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
