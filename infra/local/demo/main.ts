// ./tocsin demo: everything started, example rules loaded, findings published as any producer would, and a table of what came
// of it. Exits 0 only if every input has an outcome.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readConfigDirectory } from '@tocsin/adapters/config/directory.ts';
import { parseYaml } from '@tocsin/adapters/config/yaml-text.ts';
import { repository, tocsinHome } from '../home.ts';
import { startServers, startServices } from '../stack.ts';
import { type ApiClient, createApiClient } from './api.ts';
import { openLog, untilIdle } from './observe.ts';
import { delayScale, leadDecides, withShortDelays } from './playbooks.ts';
import { publish, startScanner } from './producers.ts';
import { localConnection, type Receivers, startReceivers } from './receivers.ts';
import { printReport } from './report.ts';
import { scrape } from './scrape.ts';

const say = (line: string): void => console.error(line);

/** `--stay` keeps everything running afterwards, until Ctrl-C. */
export async function run(args: readonly string[]): Promise<number> {
  const unknown = args.find((arg) => arg !== '--stay');
  if (unknown !== undefined) throw new Error(`unknown option ${unknown}; ./tocsin demo [--stay]`);
  const home = join(tocsinHome(), 'demo');
  rmSync(home, { recursive: true, force: true });
  const stops: (() => Promise<void>)[] = [];
  const interrupted = new Promise<string>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(signal));
  });
  try {
    const outcome = await Promise.race([
      present(home, stops, args.includes('--stay'), interrupted),
      interrupted,
    ]);
    return typeof outcome === 'number' ? outcome : 130;
  } finally {
    say('stopping');
    for (const stop of stops.reverse()) await stop();
  }
}

async function present(
  home: string,
  stops: (() => Promise<void>)[],
  stay: boolean,
  interrupted: Promise<string>,
): Promise<number> {
  say('starting Kafka, Redis, PostgreSQL');
  // Servers of its own, whatever the environment names: the demo must not write into somebody's cluster.
  const servers = await startServers({ home, env: {}, say });
  stops.push(() => servers.stop());
  const receivers = await startReceivers();
  stops.push(() => receivers.close());
  say('starting the services');
  const logFile = join(home, 'actions.log');
  const reports = join(home, 'reports');
  const services = await startServices({
    home,
    servers: servers.env,
    env: { ACTION_LOG_FILE: logFile, REPORT_DIR: reports },
    say,
  });
  stops.push(() => services.stop());
  await services.healthy(60_000);

  const baseUrl = services.urls['config-api'] ?? '';
  const api = createApiClient(baseUrl, readFileSync(services.firstKeyFile, 'utf8').trim());
  say('loading the example rules, actions, connections, playbooks and sinks through the config API');
  const rules = await loadExamples(api, receivers);
  await untilConfigured(services.urls, rules);

  const scanner = startScanner(servers.env.KAFKA_BROKERS);
  stops.push(() => scanner.stop());
  say(
    'publishing: docs/examples/producer/publish.mjs; scanning again what is asked for: docs/examples/producer/scanner.mjs',
  );
  await publish(servers.env.KAFKA_BROKERS);
  say(`a lead decides at the gates of the playbook, whose delays are ${delayScale} times shorter`);
  const runs = await leadDecides(api, baseUrl, 90_000);
  await untilIdle(api, 90_000);

  const client = await openLog({ ...process.env, ...servers.env });
  const ok = await printReport({ client, urls: services.urls, receivers, logFile, reports, runs });
  if (stay) {
    say(
      `\nEverything keeps running. API key: ${readFileSync(services.firstKeyFile, 'utf8').trim()}. Ctrl-C stops it.`,
    );
    await interrupted;
  }
  return ok ? 0 : 1;
}

/** Posts the example documents in the order of their references; returns how many rules there are. */
async function loadExamples(api: ApiClient, receivers: Receivers): Promise<number> {
  const { entries, problems } = await readConfigDirectory(join(repository, 'docs/examples'));
  if (problems.length > 0) throw new Error(problems.join('\n'));
  const playbook = readFileSync(join(repository, 'docs/playbooks/critical-finding-response.yaml'), 'utf8');
  const documents = [
    ...entries.flatMap(({ record }) => (record === null ? [] : [record.document as Record<string, unknown>])),
    parseYaml(playbook) as Record<string, unknown>,
  ];
  for (const kind of ['connection', 'action', 'sink', 'list', 'playbook', 'rule'])
    for (const document of documents.filter((each) => each['kind'] === kind)) {
      const { kind: _, ...body } =
        kind === 'connection' ? localConnection(document, receivers) : withShortDelays(document);
      await api.post(`/api/${kind}s`, body);
    }
  return documents.filter((each) => each['kind'] === 'rule').length;
}

/** The services read configuration from a topic: wait until all of them have all rules. */
async function untilConfigured(urls: Readonly<Record<string, string>>, rules: number): Promise<void> {
  const deadline = performance.now() + 30_000;
  for (const name of ['evaluator', 'actions', 'sinks'])
    for (;;) {
      const samples = await scrape(urls[name] ?? '', 'tocsin_config_documents');
      if (samples.find(({ labels }) => labels['kind'] === 'rules')?.value === rules) break;
      if (performance.now() > deadline) throw new Error(`${name} has not seen all ${rules} rules`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
}
