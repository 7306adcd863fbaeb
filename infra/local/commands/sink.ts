// ./tocsin sink run: one sink alone. ./tocsin sink setup elasticsearch: the index template and the dashboard that its documents need.
//
// Surprise: credentials come from the environment, so that they stand in no shell history; nothing is read from the configuration.
import { parseArgs } from 'node:util';
import { createHttpClient } from '@tocsin/adapters/http/client.ts';
import { createEgressPolicy } from '@tocsin/adapters/http/egress-policy.ts';
import { HttpFailure, type HttpPort } from '@tocsin/topologies/ports/http.ts';
import { savedObjects, savedObjectsFile } from '@tocsin/topologies/sinks/elasticsearch/setup/dashboards.ts';
import { indexTemplate } from '@tocsin/topologies/sinks/elasticsearch/setup/index-template.ts';
import { isUsageError, type RulesIo, UsageError } from './rules-io.ts';
import { runSinkAlone } from './sink-run.ts';

const usage = `usage: ./tocsin sink run --config FILE
       ./tocsin sink setup elasticsearch [--url URL] [--dashboards URL] [--index NAME] [--data-stream] [--print]

  --config FILE      a YAML or JSON file with sink, connection, kafka, topics, group, dead_letters: runs that sink alone, without
                     config API and database, until SIGTERM; prints one line of counters and lag every report_s seconds

  --url URL          Elasticsearch or OpenSearch: puts the index template there
  --dashboards URL   Kibana or OpenSearch Dashboards: puts the dashboard with its four charts there
  --index NAME       what the names of the indices begin with, or the data stream (default s4e-events)
  --data-stream      NAME is a data stream
  --print            print the dashboard's saved objects instead, to import them by hand
Credentials: ELASTIC_API_KEY, or ELASTIC_USERNAME and ELASTIC_PASSWORD. Own certificate authority: NODE_EXTRA_CA_CERTS.`;

const terminal: RulesIo = {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
};

export const run = (args: string[]): Promise<number> => runSink(args, terminal, process.env);

/** Runs one subcommand. 0: done, 1: a server refused, 2: typed wrong. */
export async function runSink(args: readonly string[], io: RulesIo, env: NodeJS.ProcessEnv): Promise<number> {
  const [name = 'help', type, ...rest] = args;
  if (['help', '--help', '-h'].includes(name) || args.includes('--help') || args.includes('-h')) {
    io.out(usage);
    return 0;
  }
  try {
    if (name === 'run') {
      const { values } = parseArgs({
        args: type === undefined ? [] : [type, ...rest],
        options: { config: { type: 'string' } },
      });
      if (values.config === undefined) throw new UsageError('--config FILE is needed');
      return await runSinkAlone(values.config, io, env);
    }
    if (name !== 'setup' || type !== 'elasticsearch')
      throw new UsageError(
        `no command "sink ${[name, type].join(' ').trim()}"; there are: run, setup elasticsearch`,
      );
    return await setup(rest, io, env);
  } catch (error) {
    if (!isUsageError(error)) throw error;
    io.err(`tocsin: ${error.message}\n${usage}`);
    return 2;
  }
}

async function setup(args: readonly string[], io: RulesIo, env: NodeJS.ProcessEnv): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      url: { type: 'string' },
      dashboards: { type: 'string' },
      index: { type: 'string', default: 's4e-events' },
      'data-stream': { type: 'boolean', default: false },
      print: { type: 'boolean', default: false },
    },
  });
  const { index, 'data-stream': dataStream } = values;
  if (!/^[a-z0-9][a-z0-9._-]{0,199}$/.test(index))
    throw new UsageError('--index must be lower-case letters, digits, . _ -');
  const file = savedObjectsFile(savedObjects(index, dataStream ? index : `${index}*`));
  if (values.print) {
    io.out(file.trimEnd());
    return 0;
  }
  if (values.url === undefined && values.dashboards === undefined)
    throw new UsageError('--url, --dashboards or --print is needed');
  const authorization = authorizationOf(env);
  // Whoever types an address means it, private ones included.
  const http = createHttpClient({
    egress: createEgressPolicy({ mode: 'open', allowCidrs: ['0.0.0.0/0', '::/0'] }),
  });
  try {
    if (values.url !== undefined) {
      const url = `${origin('--url', values.url)}/_index_template/${index}`;
      const body = JSON.stringify(indexTemplate(index, dataStream));
      const headers = [...authorization, ['content-type', 'application/json'] as const];
      await send(http, { method: 'PUT', url, headers, body }, isAcknowledged);
      io.out(`index template ${index} written`);
    }
    if (values.dashboards !== undefined) {
      const url = `${origin('--dashboards', values.dashboards)}/api/saved_objects/_import?overwrite=true`;
      const headers = [
        ...authorization,
        ['content-type', `multipart/form-data; boundary=${boundary}`] as const,
        // Kibana asks for the first, OpenSearch Dashboards for the second.
        ['kbn-xsrf', 'true'] as const,
        ['osd-xsrf', 'true'] as const,
      ];
      await send(http, { method: 'POST', url, headers, body: formWith(file) }, isImported);
      io.out(`dashboard ${index}-dashboard with 4 charts written`);
    }
    return 0;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    io.err(`tocsin: ${error.message}`);
    return 1;
  } finally {
    await http.close();
  }
}

class Refused extends Error {}

type Request = Pick<Parameters<HttpPort['send']>[0], 'method' | 'url' | 'headers' | 'body'>;

async function send(
  http: HttpPort,
  request: Request,
  isDone: (answer: Readonly<Record<string, unknown>>) => boolean,
): Promise<void> {
  const what = `${request.method} ${request.url}`;
  const response = await http.send({ ...request, timeoutMs: 30_000 }).catch((error: unknown) => {
    throw error instanceof HttpFailure ? new Refused(`${what}: ${error.message}`) : error;
  });
  const text = response.body.toString('utf8');
  let answer: unknown = null;
  try {
    answer = JSON.parse(text);
  } catch {}
  if (response.status !== 200 || typeof answer !== 'object' || answer === null || !isDone({ ...answer }))
    throw new Refused(`${what} answered ${response.status}: ${text.replace(/\s+/g, ' ').slice(0, 500)}`);
}

const isAcknowledged = (answer: Readonly<Record<string, unknown>>): boolean => answer.acknowledged === true;
const isImported = (answer: Readonly<Record<string, unknown>>): boolean => answer.success === true;

const boundary = 'tocsin-saved-objects';

function formWith(file: string): string {
  return [
    `--${boundary}`,
    'Content-Disposition: form-data; name="file"; filename="dashboard.ndjson"',
    'Content-Type: application/ndjson',
    '',
    file,
    `--${boundary}--`,
    '',
  ].join('\r\n');
}

function origin(option: string, text: string): string {
  if (!URL.canParse(text) || !/^https?:\/\//.test(text))
    throw new UsageError(`${option} must be an http or https URL`);
  const url = new URL(text);
  if (url.username !== '' || url.password !== '')
    throw new UsageError(
      `${option} must hold no credentials: use ELASTIC_API_KEY, or ELASTIC_USERNAME and ELASTIC_PASSWORD`,
    );
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

function authorizationOf(env: NodeJS.ProcessEnv): [string, string][] {
  const { ELASTIC_API_KEY: key, ELASTIC_USERNAME: user, ELASTIC_PASSWORD: password } = env;
  if (key !== undefined && key !== '') return [['authorization', `ApiKey ${key.trim()}`]];
  if (user === undefined || user === '') return [];
  return [['authorization', `Basic ${Buffer.from(`${user}:${password ?? ''}`).toString('base64')}`]];
}
