// ./tocsin dead-letters <list|counts|show|redrive|purge|cancel>: what could not be handled, over the config API.
//
// Invariant: many letters are changed only with --yes, after their number was shown; the API is told that number, so that no letter which came
// in between is changed with them. Exit codes: 0 done, 1 the API refused, 2 typed wrong.
import { parseArgs } from 'node:util';
import type { ApiClient } from '../demo/api.ts';
import { apiOf, explainApiError } from './api-access.ts';
import { isUsageError, type RulesIo, UsageError } from './rules-io.ts';

const usage = `usage: ./tocsin dead-letters list [FILTER] [--limit N] [--json]
       ./tocsin dead-letters counts [FILTER] [--by reason|state|service|source|type|action|rule|connection] [--json]
       ./tocsin dead-letters show ID [--json]
       ./tocsin dead-letters redrive ID [--accept-duplicate] [--again] [--because TEXT]
       ./tocsin dead-letters redrive FILTER --limit N [--accept-duplicate] [--per-second N] [--because TEXT] [--yes]
       ./tocsin dead-letters purge ID [--because TEXT]
       ./tocsin dead-letters purge FILTER --limit N [--because TEXT] [--yes]
       ./tocsin dead-letters cancel JOB

FILTER: --state --reason --stage --service --source TOPIC --type --action --rule --playbook --run --connection --command ID --tenant --job
        --after TIME --before TIME --q TEXT
Without --yes many letters are only counted. The API: TOCSIN_URL (default http://127.0.0.1:8080) and TOCSIN_API_KEY (default: the first key of
./tocsin up, .tocsin/first-api-key).`;

const filterNames = [
  'state',
  'reason',
  'stage',
  'service',
  'source',
  'type',
  'action',
  'rule',
  'playbook',
  'run',
  'connection',
  'command',
  'tenant',
  'job',
  'after',
  'before',
  'q',
] as const;

const options = {
  ...(Object.fromEntries(filterNames.map((name) => [name, { type: 'string' }])) as Record<
    (typeof filterNames)[number],
    { type: 'string' }
  >),
  limit: { type: 'string' },
  by: { type: 'string' },
  'per-second': { type: 'string' },
  because: { type: 'string' },
  'accept-duplicate': { type: 'boolean' },
  again: { type: 'boolean' },
  yes: { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

type Values = ReturnType<typeof parse>['values'];

interface Given {
  readonly values: Values;
  readonly filter: Readonly<Record<string, string>>;
  readonly id: string | undefined;
  readonly api: ApiClient;
  readonly io: RulesIo;
}

interface Letter {
  readonly id: string;
  readonly at: string;
  readonly state: string;
  readonly service: string;
  readonly reason: string;
  readonly error: string;
  readonly source: { readonly topic: string; readonly partition: number; readonly offset: number } | null;
}

interface Sorted {
  readonly job?: string;
  readonly matching: number;
  readonly count: number;
  readonly more: boolean;
  readonly refused: readonly { readonly because: string; readonly count: number; readonly text: string }[];
}

const base = '/api/dead-letters';

const terminal: RulesIo = {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
};

export const run = (args: string[]): Promise<number> => runDeadLetters(args, terminal, process.env);

const commands: Readonly<Record<string, (given: Given) => Promise<void>>> = {
  list,
  counts,
  show,
  redrive: (given) => change('redrive', given),
  purge: (given) => change('purge', given),
  cancel,
};

/** Runs one subcommand. */
export async function runDeadLetters(
  [name = 'help', ...args]: readonly string[],
  io: RulesIo,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  if (['help', '--help', '-h'].includes(name) || args.includes('--help') || args.includes('-h')) {
    io.out(usage);
    return 0;
  }
  try {
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (command === undefined)
      throw new UsageError(
        `no command "dead-letters ${name}"; there are: ${Object.keys(commands).join(', ')}`,
      );
    const { values, positionals } = parse(args);
    const [id, ...more] = positionals;
    if (more.length > 0) throw new UsageError(`too many arguments: ${more.join(' ')}`);
    const filter = Object.fromEntries(
      filterNames.flatMap((field) => (values[field] === undefined ? [] : [[field, values[field]]])),
    );
    await command({ values, filter, id, api: apiOf(env), io });
    return 0;
  } catch (error) {
    if (isUsageError(error)) {
      io.err(`tocsin: ${error.message}\n${usage}`);
      return 2;
    }
    const explained = explainApiError(error);
    if (explained === null) throw error;
    io.err(`tocsin: ${explained}`);
    return 1;
  }
}

function parse(args: readonly string[]) {
  return parseArgs({ args: [...args], options, allowPositionals: true });
}

async function list({ values, filter, api, io }: Given): Promise<void> {
  let left = countOf('--limit', values.limit) ?? 50;
  let cursor: string | null = null;
  do {
    const query: Record<string, string> = { ...filter, limit: String(Math.min(left, 200)) };
    if (cursor !== null) query['cursor'] = cursor;
    const page: { items: Letter[]; next_cursor: string | null } = await api.get(
      `${base}?${new URLSearchParams(query)}`,
    );
    for (const letter of page.items) io.out(values.json === true ? JSON.stringify(letter) : lineOf(letter));
    left -= page.items.length;
    cursor = page.next_cursor;
  } while (cursor !== null && left > 0);
  if (cursor !== null) io.err('there are more; --limit shows them');
}

function lineOf({ id, at, state, service, reason, error, source }: Letter): string {
  const place = source === null ? '-' : `${source.topic}/${source.partition}/${source.offset}`;
  return `${id}  ${at}  ${state.padEnd(8)}  ${service}  ${reason}  ${place}  ${error}`;
}

async function counts({ values, filter, api, io }: Given): Promise<void> {
  const query = new URLSearchParams({ ...filter, ...(values.by === undefined ? {} : { by: values.by }) });
  const answer = await api.get<{ items: { name: string | null; count: number; newest: string }[] }>(
    `${base}/counts?${query}`,
  );
  for (const item of answer.items)
    io.out(
      values.json === true
        ? JSON.stringify(item)
        : `${String(item.count).padStart(8)}  ${item.name ?? '-'}  (newest ${item.newest})`,
    );
}

async function show({ id, api, io }: Given): Promise<void> {
  io.out(JSON.stringify(await api.get(`${base}/${idOf(id)}`), null, 2));
}

async function cancel({ id, api, io }: Given): Promise<void> {
  const { cancelled } = await api.post<{ cancelled: number }>(`${base}/jobs/${idOf(id)}/cancel`, {});
  io.out(`${cancelled} taken back`);
}

async function change(verb: 'redrive' | 'purge', given: Given): Promise<void> {
  const { values, filter, id, api, io } = given;
  const because = values.because === undefined ? {} : { reason: values.because };
  const accept = values['accept-duplicate'] === true ? { accept_duplicate: true } : {};
  if (id !== undefined) {
    if (Object.keys(filter).length > 0) throw new UsageError('give an id or a filter, not both');
    const again = values.again === true ? { again: true } : {};
    const answer = await api.post<{ state: string }>(`${base}/${idOf(id)}/${verb}`, {
      ...because,
      ...accept,
      ...again,
    });
    return io.out(`${id} ${answer.state}`);
  }
  if (Object.keys(filter).length === 0) throw new UsageError('give an id or a filter');
  const limit = countOf('--limit', values.limit);
  if (limit === undefined) throw new UsageError('--limit is needed with a filter');
  const perSecond = countOf('--per-second', values['per-second']);
  const body = {
    filter,
    limit,
    ...because,
    ...accept,
    ...(perSecond === undefined ? {} : { per_second: perSecond }),
  };
  const path = `${base}/${verb}`;
  const preview = await api.post<Sorted>(path, { ...body, dry_run: true });
  tell(preview, io);
  if (values.yes !== true) return io.err(`nothing was done; --yes does it`);
  const done = await api.post<Sorted>(path, { ...body, expected: preview.matching });
  io.out(verb === 'redrive' ? `${done.count} queued as job ${done.job}` : `${done.count} purged`);
}

function tell({ matching, count, more, refused }: Sorted, io: RulesIo): void {
  io.err(`${matching} found${more ? ', more than the limit' : ''}; ${count} can be done`);
  for (const { count: how, because, text } of refused) io.err(`${how} not (${because}): ${text}`);
}

function idOf(id: string | undefined): string {
  if (id === undefined || !/^[0-9a-f-]{32,36}$/.test(id))
    throw new UsageError('the id of a letter is needed');
  return id;
}

function countOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new UsageError(`${name} must be a number from 1 on`);
  return Number(text);
}
