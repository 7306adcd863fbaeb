// The elasticsearch sink on a real broker and every release of OpenSearch that runs here: every event is one document, whatever is sent again.
import { systemClock } from '@tocsin/adapters/clock/system.ts';
import { createHttpClient } from '@tocsin/adapters/http/client.ts';
import { createEgressPolicy } from '@tocsin/adapters/http/egress-policy.ts';
import { openLogClient } from '@tocsin/adapters/log/client.ts';
import type { Connection, SinkConfig } from '@tocsin/schemas/types.ts';
import {
  type OpenSearchServer,
  openSearchReleases,
  startOpenSearch,
} from '@tocsin/testing/opensearch-server.ts';
import { kafkaBrokers, uniqueName } from '@tocsin/testing/servers.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import { fakeMetrics } from '@tocsin/topologies/ports/fakes/metrics.ts';
import type { LogClient, OutRecord } from '@tocsin/topologies/ports/log.ts';
import { openSink, type RunningSink } from '@tocsin/topologies/run/open-sink.ts';
import { createSinkDecode } from '@tocsin/topologies/run/sink-decode.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

let server: OpenSearchServer;
let client: LogClient;
const cleanups: (() => Promise<void>)[] = [];

beforeAll(async () => {
  client = await openLogClient({
    client: 'platformatic',
    brokers: kafkaBrokers().split(','),
    clientId: 'elasticsearch-test',
  });
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(`${server.url}${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return response.json();
}

async function topicOf(values: readonly string[]): Promise<string> {
  const name = uniqueName('sink-es');
  const admin = client.admin();
  await admin.ensureTopics([{ name, partitions: 2, replicationFactor: 1, config: {} }]);
  await admin.close();
  const producer = client.producer();
  await producer.send(values.map((value, k) => ({ topic: name, key: `a-${k % 7}`, value })));
  await producer.close();
  return name;
}

async function run(topic: string, params: Record<string, unknown>) {
  const connection: Connection = {
    kind: 'connection',
    id: 'elk',
    type: 'http',
    host: '127.0.0.1',
    port: server.port,
    protocol: 'http',
    allow_insecure: true,
    allow_cidrs: ['127.0.0.0/8'],
  };
  const document: SinkConfig = {
    kind: 'sink',
    id: uniqueName('es'),
    type: 'elasticsearch',
    connection: 'elk',
    params,
    batch: { max_events: 150, in_flight: 3 },
  };
  const http = createHttpClient({ egress: createEgressPolicy({ mode: 'open' }) });
  const metrics = fakeMetrics();
  const letters: OutRecord[] = [];
  const sink: RunningSink = await openSink(
    document,
    connection,
    {
      client,
      ports: { http },
      hostName: 'sinks-test',
      metrics,
      logger: fakeLogger(),
      secrets: { resolve: () => Promise.reject(new Error('no secret is needed')) },
      letters: { send: async (records) => void letters.push(...records) },
      decode: createSinkDecode(null),
      clock: systemClock,
      random: Math.random,
      topicName: () => topic,
    },
    (error) => {
      throw error;
    },
  );
  let stopped = false;
  const stop = async (): Promise<void> => {
    if (stopped) return;
    stopped = true;
    await sink.stop();
    await http.close();
  };
  cleanups.push(stop);
  async function committed(): Promise<void> {
    await until('all committed', async () => {
      const admin = client.admin();
      const lag = await admin.lag(`tocsin.sink.${document.id}`, [topic]);
      await admin.close();
      return lag.reduce((sum, { records }) => sum + records, 0) === 0;
    });
  }
  const count = (outcome: string): number => metrics.total('tocsin_sink_events_total', { outcome });
  return { committed, stop, letters, count, metrics, id: document.id };
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 40_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

interface Hit {
  readonly _index: string;
  readonly _id: string;
  readonly _source: {
    readonly '@timestamp': string;
    readonly timestamp: string;
    readonly data: { readonly n: number };
  };
}

/** All documents of an index pattern, by the server's own search. */
async function documents(index: string): Promise<Hit[]> {
  await ask('POST', `/${index}/_refresh`);
  const found = await ask('POST', `/${index}/_search`, { size: 10_000, query: { match_all: {} } });
  return (found as { hits: { hits: Hit[] } }).hits.hits;
}

const range = (to: number): number[] => Array.from({ length: to }, (_, k) => k);
const finding = (n: number, more: object = {}): string =>
  JSON.stringify(
    {
      event: 'finding.new',
      timestamp: `2026-0${4 + (n % 2)}-28T12:00:00Z`,
      data: { n, text: 'é "x"\n', ...more },
    },
    null,
    n % 3,
  );

describe.each(openSearchReleases())('OpenSearch %s', (release) => {
  beforeAll(async () => {
    server = await startOpenSearch(['action.auto_create_index: "s4e-*"'], release);
    await ask('PUT', '/_index_template/s4e', {
      index_patterns: ['s4e-*'],
      template: {
        settings: { number_of_shards: 1, number_of_replicas: 0 },
        mappings: {
          properties: { data: { properties: { n: { type: 'integer' } } }, severity: { type: 'keyword' } },
        },
      },
    });
  });
  afterAll(async () => {
    await server?.stop();
  });

  it('is the release that it should be', async () => {
    const { version } = (await ask('GET', '/')) as { version: { number: string; distribution: string } };
    expect(version).toMatchObject({
      distribution: 'opensearch',
      number: expect.stringMatching(`^${release}\\.`),
    });
  });

  it('B36, B39: 1,000 events with one poison: 999 documents with ids of their own, one dead letter; again: nothing new', async () => {
    const values = range(1000).map((n) => (n === 500 ? finding(n, { n: 'no number' }) : finding(n)));
    const topic = await topicOf(values);
    const base = uniqueName('s4e');
    const first = await run(topic, { index: `${base}-%{+YYYY.MM}`, gzip: true });
    await first.committed();
    await first.stop();
    expect(first.letters.map(({ value }) => String(value))).toEqual([values[500]]);
    const found = await documents(`${base}-*`);
    expect(found.map(({ _source }) => _source.data.n).sort((a, b) => a - b)).toEqual(
      range(1000).filter((n) => n !== 500),
    );
    expect(new Set(found.map(({ _id }) => _id)).size).toBe(999);
    expect(new Set(found.map(({ _index }) => _index))).toEqual(
      new Set([`${base}-2026.04`, `${base}-2026.05`]),
    );
    for (const { _index, _source } of found) {
      const { '@timestamp': stamp, ...event } = _source;
      expect(event).toEqual(JSON.parse(values[event.data.n]!));
      expect(stamp).toBe(event.timestamp);
      expect(_index.slice(-7)).toBe(event.timestamp.slice(0, 7).replace('-', '.'));
    }

    const again = await run(topic, { index: `${base}-%{+YYYY.MM}` });
    await again.committed();
    expect(again.count('repeated')).toBe(999);
    expect((await documents(`${base}-*`)).map(({ _id }) => _id).sort()).toEqual(
      found.map(({ _id }) => _id).sort(),
    );
  });

  it('B36: a data stream takes the events', async () => {
    const base = uniqueName('s4e-stream');
    await ask('PUT', `/_index_template/${base}`, {
      index_patterns: [base],
      data_stream: {},
      priority: 10,
      template: { settings: { number_of_replicas: 0 } },
    });
    const sink = await run(await topicOf(range(50).map((n) => finding(n))), { index: base });
    await sink.committed();
    const found = await documents(base);
    expect(found).toHaveLength(50);
    expect(found[0]!._index).toMatch(/^\.ds-/);
    expect(sink.letters).toEqual([]);
  });

  it('B39: updates with external versions leave the newest state of each finding', async () => {
    const states = range(300).map((n) =>
      JSON.stringify({ event: 'finding.updated', data: { n, finding_id: `f-${n % 7}` } }),
    );
    const base = uniqueName('s4e-state');
    const sink = await run(await topicOf(states), {
      index: base,
      mode: 'update',
      id_field: '[data][finding_id]',
    });
    await sink.committed();
    const found = await documents(base);
    expect(Object.fromEntries(found.map(({ _id, _source }) => [_id, _source.data.n]))).toEqual(
      // Later states overwrite earlier ones here as well.
      Object.fromEntries(range(300).map((n) => [`f-${n % 7}`, n])),
    );
  });

  it('B39: an index that may not be made pauses the sink; once it is there, all events are', async () => {
    const index = uniqueName('other');
    const sink = await run(await topicOf(range(20).map((n) => finding(n))), { index });
    await until('paused', async () => sink.metrics.value('tocsin_sink_paused', { sink: sink.id }) === 1);
    expect(sink.letters).toEqual([]);
    await ask('PUT', `/${index}`, {});
    await sink.committed();
    expect(await documents(index)).toHaveLength(20);
    expect(sink.letters).toEqual([]);
  });
});
