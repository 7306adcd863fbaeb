// The audit trail: who did what, whether the chain holds, and all of it as a file.
import type { AuditFilter, AuditRow, AuditStore } from '@tocsin/adapters/postgres/audit-store.ts';
import type { FastifyInstance } from 'fastify';
import type { Dependencies } from '../dependencies.ts';
import { badRequest } from '../errors.ts';
import { type ExportFormat, formatQuery, sendRows } from '../export.ts';
import { limitOf, pageOf, pageQuery } from '../paging.ts';
import { timeOf } from '../run-query.ts';

const text = { type: 'string', minLength: 1, maxLength: 512 } as const;
const filterQuery = {
  actor: { ...text, description: 'user:<name>, key:<id> or system.' },
  verb: text,
  object: { ...text, description: '<kind>/<id>, such as rule/critical, run/<key>, approval/<id>.' },
  object_prefix: { ...text, description: 'Beginning of the object: run/' },
  after: { ...text, description: 'RFC 3339.' },
  before: { ...text, description: 'RFC 3339.' },
} as const;

type Query = { readonly [name in keyof typeof filterQuery]?: string };

const columns = [
  'seq',
  'at',
  'actor',
  'via',
  'ip',
  'verb',
  'object',
  'revision',
  'before_sha256',
  'after_sha256',
  'detail',
  'prev_hash',
  'hash',
];

function filterOf({ after, before, ...same }: Query): AuditFilter {
  return { ...same, ...timeOf('after', after), ...timeOf('before', before) };
}

export function auditRoutes(
  app: FastifyInstance,
  { audit, paging }: Pick<Dependencies, 'audit' | 'paging'>,
): void {
  const config = { access: 'read:audit' } as const;
  const schema = (summary: string, properties: object) => ({
    summary,
    tags: ['audit'],
    querystring: { type: 'object', additionalProperties: false, properties },
  });

  app.get<{ Querystring: Query & { cursor?: string; limit?: string } }>(
    '/api/audit',
    { config, schema: schema('Search the audit trail, newest first', { ...filterQuery, ...pageQuery }) },
    async (request) => {
      const { cursor, limit: _, ...query } = request.query;
      const list = `audit/${JSON.stringify(Object.entries(query).sort())}`;
      const limit = limitOf(request.query);
      const [from] = paging.decode(list, cursor) ?? [];
      const found = await audit.list(filterOf(query), {
        limit: limit + 1,
        order: 'newest',
        ...(from === undefined ? {} : { from: Number(from) }),
      });
      return pageOf(found, limit, (last) => paging.encode(list, [String(last.seq)]));
    },
  );

  app.get<{ Querystring: { seq?: string; hash?: string } }>(
    '/api/audit/verify',
    {
      config,
      schema: schema('Walk the chain of the audit trail and name the first row that does not fit', {
        seq: {
          type: 'string',
          pattern: '^[1-9][0-9]{0,14}$',
          description: 'A row whose hash is known from elsewhere.',
        },
        hash: {
          type: 'string',
          pattern: '^[0-9a-f]{64}$',
          description: 'That hash, from audit.v1 or an earlier answer.',
        },
      }),
    },
    async (request) => {
      const { seq, hash } = request.query;
      if ((seq === undefined) !== (hash === undefined))
        throw badRequest([{ path: '/hash', message: 'seq and hash go together' }]);
      const verdict = await audit.verify();
      if (seq === undefined || !verdict.ok) return verdict;
      // Whoever can write the database can make the whole chain anew; the hash that somebody else kept is not in it then.
      const row = await audit.get(Number(seq));
      const because = row === null ? 'anchor_missing' : row.hash === hash ? null : 'anchor';
      return because === null ? verdict : { ...verdict, ok: false, broken: { seq: Number(seq), because } };
    },
  );

  app.get<{ Querystring: Query & { format?: ExportFormat } }>(
    '/api/audit/export',
    {
      config,
      schema: schema('The audit trail as a file, oldest first', { ...filterQuery, format: formatQuery }),
    },
    async (request, reply) => {
      const { format = 'ndjson', ...query } = request.query;
      return sendRows(reply, format, 'audit', columns, allRows(audit, filterOf(query)));
    },
  );
}

async function* allRows(
  audit: Pick<AuditStore, 'list'>,
  filter: AuditFilter,
): AsyncGenerator<Record<string, unknown>[]> {
  let from: number | undefined;
  do {
    const page: AuditRow[] = await audit.list(filter, {
      limit: 500,
      order: 'oldest',
      ...(from === undefined ? {} : { from }),
    });
    from = page.at(-1)?.seq;
    yield page.map((row) => ({ ...row }));
  } while (from !== undefined);
}
