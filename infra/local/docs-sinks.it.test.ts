// docs/sinks.md is executed: every ```sh block, in its order, in one shell, against a stack of its own and receivers over TLS.
//
// Invariant: only values of the page's `export NAME=value` lines are replaced; a name that the page does not set, or sets twice, fails.
// Surprise: OpenSearch has no security here; a TLS front in front of it checks the API key and stands for Kibana.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createAuthority } from '@tocsin/testing/certificates.ts';
import { startOpenSearch } from '@tocsin/testing/opensearch-server.ts';
import { startHecReceiver } from '@tocsin/testing/receivers/hec.ts';
import { listen, readBody } from '@tocsin/testing/receivers/http-server.ts';
import { scratchFolder } from '@tocsin/testing/scratch.ts';
import { startSyslogNg } from '@tocsin/testing/syslog-ng.ts';
import { afterAll, expect, it } from 'vitest';
import { repository } from './home.ts';
import { startServers, startServices } from './stack.ts';

const cleanups: (() => unknown)[] = [];
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});
const keep = <T>(value: T, cleanup: (value: T) => unknown): T => {
  cleanups.push(() => cleanup(value));
  return value;
};

const elasticKey = 'VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==';
const splunkToken = '12345678-1234-1234-1234-1234567890AB';

/** The blocks of the page with `values` in place of what it exports. */
function blocksWith(page: string, values: Readonly<Record<string, string>>): string[] {
  const blocks = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block);
  const set = new Set<string>();
  const replaced = blocks.map((block) =>
    block.replace(/^export (\w+)=.*$/gm, (_, name: string) => {
      if (values[name] === undefined || set.has(name)) throw new Error(`${name} is unknown or set twice`);
      set.add(name);
      return `export ${name}='${values[name]}'`;
    }),
  );
  expect([...set].sort()).toEqual(Object.keys(values).sort());
  return replaced;
}

/** A bash in the repository, as an operator would have it. */
function openShell() {
  const path = `${join(repository, 'node_modules/.bin')}:${process.env.PATH}`;
  const shell = spawn('bash', ['-E'], { cwd: repository, env: { ...process.env, PATH: path } });
  const lines: string[] = [];
  let onDone: ((failed: string) => void) | undefined;
  let onEnd: (() => void) | undefined;
  shell.once('exit', () => onEnd?.());
  const take = (line: string): void => {
    const done = /^block-done (\d+)$/.exec(line);
    if (done === null) lines.push(line);
    else onDone?.(done[1] ?? '');
  };
  createInterface(shell.stdout).on('line', take);
  createInterface(shell.stderr).on('line', (line) => lines.push(`stderr: ${line}`));
  /** Runs a block; `failed` is 1 when any command of it failed. */
  const run = async (file: string, block: string): Promise<{ failed: boolean; output: string }> => {
    writeFileSync(file, block);
    lines.length = 0;
    const done = new Promise<string>((resolve, reject) => {
      onDone = resolve;
      onEnd = () => reject(new Error(`the shell ended: ${lines.join('\n')}`));
    });
    shell.stdin.write(
      `failed=0; trap 'failed=1' ERR; . '${file}'; trap - ERR; echo; echo "block-done $failed"\n`,
    );
    const failed = await done;
    return { failed: failed !== '0', output: lines.join('\n') };
  };
  return { run, close: () => shell.kill() };
}

async function until<T>(what: string, look: () => T | Promise<T>, holds: (seen: T) => boolean): Promise<T> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (performance.now() > deadline) throw new Error(`not in time: ${what}; ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

it('B24, B37, B47c, B50, B56: every command of docs/sinks.md, and the first events in three SIEMs', async () => {
  const scratch = keep(scratchFolder('docs-sinks'), (folder) => folder.remove());
  const authority = createAuthority();
  const tls = authority.issue(['IP:127.0.0.1']);
  const file = (name: string, content: string): string => {
    writeFileSync(join(scratch.path, name), content, { mode: 0o600 });
    return join(scratch.path, name);
  };
  const home = join(scratch.path, 'stack');
  const [servers, search, siem, hec] = await Promise.all([
    startServers({ home, env: {} }).then((started) => keep(started, ({ stop }) => stop())),
    startOpenSearch().then((started) => keep(started, ({ stop }) => stop())),
    startSyslogNg(scratch.path, authority, 'any').then((started) => keep(started, ({ stop }) => stop())),
    startHecReceiver({ token: splunkToken, indexes: ['security'], tls }).then((started) =>
      keep(started, ({ close }) => close()),
    ),
  ]);
  let imported = '';
  const front = keep(
    await listen(
      async (request, response) => {
        const body = await readBody(request, 10_000_000);
        if (request.headers.authorization !== `ApiKey ${elasticKey}`)
          return response.writeHead(401).end('{}');
        if (request.url?.startsWith('/api/saved_objects/_import') === true) {
          imported = String(body);
          return response.end('{"success":true}');
        }
        const { method = 'GET' } = request;
        const answer = await fetch(`${search.url}${request.url}`, {
          method,
          headers: { 'content-type': request.headers['content-type'] ?? 'application/json' },
          ...(method === 'GET' ? {} : { body: new Uint8Array(body ?? Buffer.alloc(0)) }),
        });
        const headers = { 'content-type': answer.headers.get('content-type') ?? 'application/json' };
        return response.writeHead(answer.status, headers).end(Buffer.from(await answer.arrayBuffer()));
      },
      { tls },
    ),
    ({ close }) => close(),
  );
  const services = keep(
    await startServices({ home, servers: servers.env, names: ['config-api', 'sinks'] }),
    ({ stop }) => stop(),
  );
  await services.healthy(60_000);

  const ca = file('authority.pem', authority.cert);
  const page = readFileSync(join(repository, 'docs/sinks.md'), 'utf8');
  const blocks = blocksWith(page, {
    TOCSIN_URL: services.urls['config-api'] ?? '',
    TOCSIN_KEY_FILE: services.firstKeyFile,
    SINKS_URL: services.urls['sinks'] ?? '',
    KAFKA_BROKERS: servers.env.KAFKA_BROKERS,
    SIEM_NETWORK: '127.0.0.0/8',
    SPLUNK_HOST: '127.0.0.1',
    SPLUNK_PORT: String(hec.port),
    SPLUNK_TOKEN_FILE: file('splunk.token', splunkToken),
    SPLUNK_CA: ca,
    ELASTIC_HOST: '127.0.0.1',
    ELASTIC_PORT: String(front.port),
    KIBANA_URL: front.url,
    ELASTIC_KEY_FILE: file('elastic.key', elasticKey),
    ELASTIC_CA: ca,
    QRADAR_HOST: '127.0.0.1',
    QRADAR_PORT: String(siem.ports.tls),
    QRADAR_CA: ca,
  });
  const shell = keep(openShell(), ({ close }) => close());
  const outputs: string[] = [];
  const run = async (block: string): Promise<string> => {
    const { failed, output } = await shell.run(join(scratch.path, 'block.sh'), block);
    expect(failed, `${block}\n${output}`).toBe(false);
    outputs.push(output);
    return output;
  };
  const named = (text: string): string => {
    const found = blocks.filter((block) => block.includes(text));
    expect(found, text).toHaveLength(1);
    return found[0] ?? '';
  };
  const search1 = named('/_search?');
  const publish = named('publish.mjs');
  const counts = named("grep '^tocsin_sink_events_total'");
  const trouble = named('dead-letters.mjs');
  const later = [search1, publish, counts, trouble];
  for (const block of blocks.filter((each) => !later.includes(each))) await run(block);
  expect(imported).toContain('s4e-events-dashboard');

  await run(publish);
  // The guide's finding, and of the scan's six: critical, high, and the sixth, high again.
  const ids = ['f-100000', 'f-100001', 'f-100005', 'f-91827'];
  await until(
    'Splunk',
    () => hec.events.length,
    (seen) => seen >= ids.length,
  );
  const findings = hec.events.map(({ event }) => (event as { data: { finding_id: string } }).data.finding_id);
  expect(findings.sort()).toEqual(ids);
  expect(hec.events[0]).toMatchObject({ index: 'security', sourcetype: '_json', source: 's4e' });

  // Shards of a new index refuse a search until they have started.
  const { output: found } = await until(
    'Elasticsearch',
    () => shell.run(join(scratch.path, 'block.sh'), search1),
    ({ failed, output }) => !failed && output.includes('"_id"'),
  );
  outputs.push(found);
  expect(found).toContain('SQL Injection in /api/login');
  expect(found).toContain('"_index":"s4e-events-2026.04"');

  await until(
    'QRadar',
    () => siem.parsed().length,
    (seen) => seen >= ids.length,
  );
  const leef = siem.parsed().map(({ message }) => message);
  expect(leef.every((message) => message.startsWith('LEEF:2.0|S4E|'))).toBe(true);
  expect(leef.join('\n')).toContain('SQL Injection in /api/login');

  for (const sink of ['splunk-security', 'elastic-events', 'qradar-leef']) {
    const number = (outcome: string, of: string): number =>
      of
        .split('\n')
        .filter((line) => line.includes(`"${sink}"`) && line.includes(`outcome="${outcome}"`))
        .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    const seen = await until(
      `the counts of ${sink}`,
      () => run(counts),
      (text) => number('delivered', text) >= 4,
    );
    expect(['delivered', 'filtered', 'dead_letter'].map((outcome) => number(outcome, seen))).toEqual([
      4, 3, 1,
    ]);
  }
  const said = await until(
    'no lag',
    () => run(trouble),
    (text) => text.split('"records":0,').length > 3,
  );
  expect(said.match(/"group":"tocsin\.sink\.[a-z-]+"/g)).toHaveLength(3);
  expect(said.match(/^tocsin_sink_paused\{.*\} 0$/gm)).toHaveLength(3);
  const letters = said
    .split('\n')
    .filter((line) => line.startsWith('{"service"'))
    .map((line) => JSON.parse(line) as { service: string; source: string });
  expect(letters.map(({ service }) => service).sort()).toEqual([
    'sinks/elastic-events',
    'sinks/qradar-leef',
    'sinks/splunk-security',
  ]);
  expect(letters.every(({ source }) => source.startsWith('findings.v1/'))).toBe(true);
  for (const secret of [elasticKey, splunkToken]) expect(outputs.join('\n')).not.toContain(secret);
}, 120_000);
