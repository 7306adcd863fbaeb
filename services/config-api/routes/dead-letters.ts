// Dead letters to read: which there are, how many by what, one with its original bytes.
import { countedBy, type LetterContents } from '@tocsin/adapters/postgres/dead-letter-search.ts';
import type { FastifyInstance } from 'fastify';
import type { Dependencies } from '../dependencies.ts';
import { notFound } from '../errors.ts';
import { type LetterQuery, letterFilterOf, letterQuery } from '../letter-query.ts';
import { limitOf, pageOf, pageQuery } from '../paging.ts';

export const lettersUrl = '/api/dead-letters';
/** Bytes of a value that an answer shows; all of them come from `/value`. */
const shownBytes = 64 * 1024;

type Page = { readonly cursor?: string; readonly limit?: string };
interface Params {
  readonly id: string;
}

/** Throws 404 for what could be no id. */
export function checkedLetterId(id: string): string {
  if (!/^[0-9a-f]{32}$/.test(id)) throw notFound();
  return id;
}

export function deadLetterRoutes(
  app: FastifyInstance,
  { letters, paging }: Pick<Dependencies, 'letters' | 'paging'>,
): void {
  const config = { access: 'read:dead-letters' } as const;
  const schema = (summary: string, properties?: object) => ({
    summary,
    tags: ['dead letters'],
    ...(properties === undefined
      ? {}
      : { querystring: { type: 'object', additionalProperties: false, properties } }),
  });

  app.get<{ Querystring: LetterQuery & Page }>(
    lettersUrl,
    { config, schema: schema('Search dead letters, newest first', { ...letterQuery, ...pageQuery }) },
    async (request) => {
      const { cursor, limit: _, ...query } = request.query;
      const list = `${lettersUrl}/${JSON.stringify(Object.entries(query).sort())}`;
      const limit = limitOf(request.query);
      const [at, id] = paging.decode(list, cursor) ?? [];
      const found = await letters.list(letterFilterOf(query), {
        limit: limit + 1,
        ...(at === undefined || id === undefined ? {} : { before: { at: new Date(at), id } }),
      });
      return pageOf(found, limit, (last) => paging.encode(list, [last.at.toISOString(), last.id]));
    },
  );

  app.get<{ Querystring: LetterQuery & { by?: keyof typeof countedBy } }>(
    `${lettersUrl}/counts`,
    {
      config,
      schema: schema('Count dead letters by their reason or something else, most first', {
        ...letterQuery,
        by: { enum: Object.keys(countedBy), description: 'Default reason.' },
      }),
    },
    async (request) => {
      const { by = 'reason', ...query } = request.query;
      const items = await letters.counts(letterFilterOf(query), by);
      return { by, total: items.reduce((sum, { count }) => sum + count, 0), items };
    },
  );

  app.get<{ Params: Params }>(
    `${lettersUrl}/:id`,
    {
      config,
      schema: schema('One dead letter with its original key, headers and the beginning of its value'),
    },
    async (request) => {
      const id = checkedLetterId(request.params.id);
      const letter = await letters.get(id);
      if (letter === null) throw notFound();
      const contents = await letters.contents(id);
      return { ...letter, contents: contents === null ? null : shown(contents) };
    },
  );

  app.get<{ Params: Params }>(
    `${lettersUrl}/:id/value`,
    { config, schema: schema('The original bytes as a file') },
    async (request, reply) => {
      const id = checkedLetterId(request.params.id);
      const contents = await letters.contents(id);
      if (contents === null || contents.value === null) throw notFound();
      return reply
        .header('content-type', 'application/octet-stream')
        .header('content-disposition', `attachment; filename="${id}.bin"`)
        .send(contents.value);
    },
  );
}

function shown({ key, value, headers }: LetterContents): Record<string, unknown> {
  return {
    key: readable(key),
    headers: headers.map(([name, content]) => ({ name, ...readable(content) })),
    value: readable(value),
  };
}

/** As text where it is text, otherwise in base64; `cut` when there is more. */
function readable(bytes: Buffer | null): Record<string, unknown> | null {
  if (bytes === null) return null;
  const part = bytes.subarray(0, shownBytes);
  const cut = part.length < bytes.length ? { cut: true } : {};
  const text = textOf(part, part.length < bytes.length);
  return text === null ? { base64: part.toString('base64'), ...cut } : { text, ...cut };
}

/** Null when it is not UTF-8. A character that the cut halves is left out. */
function textOf(bytes: Buffer, isCut: boolean): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: isCut });
  } catch {
    return null;
  }
}
