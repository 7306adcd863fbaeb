// ./tocsin sink run --config FILE: one sink alone, from any cluster to its receiver; no config API, no database, no topic of ours.
//
// Invariant: SIGTERM and SIGINT stop reading, wait for what is on its way, commit and end with 0. A failure ends with 1, so that
// whoever supervises it starts it again; a file that cannot be used ends with 2 and names the field.
import { hostname } from 'node:os';
import { systemClock } from '@tocsin/adapters/clock/system.ts';
import { readDocuments } from '@tocsin/adapters/config/directory.ts';
import { createHttpClient } from '@tocsin/adapters/http/client.ts';
import { createEgressPolicy } from '@tocsin/adapters/http/egress-policy.ts';
import { createLineLog } from '@tocsin/adapters/line-log/file.ts';
import { openLogClient } from '@tocsin/adapters/log/client.ts';
import { LogSettingsError } from '@tocsin/adapters/log/settings.ts';
import { createLogger } from '@tocsin/adapters/logger/pino.ts';
import { createSchemaSource } from '@tocsin/adapters/registry/schema-source.ts';
import { createSecrets } from '@tocsin/adapters/secrets/composite.ts';
import { expectLargeBuffers } from '@tocsin/adapters/service/large-buffers.ts';
import { createSyslogClient } from '@tocsin/adapters/syslog/client.ts';
import { formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import { SinkConfigError } from '@tocsin/topologies/domain/sink/define-sink.ts';
import { type LogClient, LogError, type OutRecord } from '@tocsin/topologies/ports/log.ts';
import type { MetricsPort } from '@tocsin/topologies/ports/metrics.ts';
import { SecretError } from '@tocsin/topologies/ports/secrets.ts';
import { lagSeconds } from '@tocsin/topologies/run/lag-watch.ts';
import { openSink } from '@tocsin/topologies/run/open-sink.ts';
import { createSinkDecode } from '@tocsin/topologies/run/sink-decode.ts';
import type { LetterBox } from '@tocsin/topologies/run/sink-letters.ts';
import type { RulesIo } from './rules-io.ts';
import { kafkaSettings, readSinkFile, type SinkFile } from './sink-config.ts';

/** Runs until a signal or a failure ends it; the exit code. `stop` ends it as a signal does. */
export async function runSinkAlone(
  path: string,
  io: RulesIo,
  env: NodeJS.ProcessEnv,
  stop?: AbortSignal,
): Promise<number> {
  const documents = await readDocuments(path);
  if (typeof documents === 'string' || documents.length !== 1) {
    io.err(`tocsin: ${path}: ${typeof documents === 'string' ? documents : 'must hold one document'}`);
    return 2;
  }
  const file = readSinkFile(documents[0]);
  if (!('sink' in file)) {
    io.err(`tocsin: ${path}: ${formatIssues(file)}`);
    return 2;
  }
  expectLargeBuffers();
  const closing: (() => unknown)[] = [];
  try {
    return await runFile(file, io, env, stop, closing);
  } catch (error) {
    const isConfig =
      error instanceof SinkConfigError || error instanceof SecretError || error instanceof LogSettingsError;
    if (!isConfig && !(error instanceof LogError)) throw error;
    io.err(`tocsin: ${path}: ${error.message}`);
    return isConfig ? 2 : 1;
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

async function runFile(
  file: SinkFile,
  io: RulesIo,
  env: NodeJS.ProcessEnv,
  stop: AbortSignal | undefined,
  closing: (() => unknown)[],
): Promise<number> {
  const logger = createLogger({
    service: 'sink',
    level: 'warn',
    destination: { write: (line) => io.err(line.trimEnd()) },
  });
  const secrets = createSecrets({ env, registerSecret: (value) => logger.registerSecret(value) });
  const client = await openLogClient(await kafkaSettings(file.kafka, secrets));
  // Whoever writes an address into the file means it, private ones included.
  const egress = createEgressPolicy({ mode: 'open', allowCidrs: ['0.0.0.0/0', '::/0'] });
  const http = createHttpClient({ egress });
  closing.push(() => http.close());
  const admin = client.admin();
  closing.push(() => admin.close());
  // A topic that is not there is said at once, and never made.
  for (const topic of file.topics) await admin.partitionCount(topic);
  const letters = letterBox(file.dead_letters, client, closing);
  const counts = createCounts();
  const failure = Promise.withResolvers<Error>();
  const sink = await openSink(
    file.sink,
    file.connection,
    {
      client,
      ports: { http, syslog: createSyslogClient({ egress }) },
      hostName: hostname(),
      secrets,
      letters,
      decode: createSinkDecode(createSchemaSource(env)),
      clock: systemClock,
      random: Math.random,
      metrics: counts.metrics,
      logger,
      place: { group: file.group, topics: file.topics },
    },
    failure.resolve,
  );
  closing.push(() => sink.stop());
  io.err(`tocsin: sink ${file.sink.id} runs, group ${file.group}, topics ${file.topics.join(', ')}`);

  const ended = new AbortController();
  const report = async (): Promise<void> => {
    try {
      const lags = await admin.lag(file.group, file.topics);
      io.out(
        JSON.stringify({
          ...counts.all(),
          lag_records: lags.reduce((sum, { records }) => sum + records, 0),
          lag_seconds: Math.max(0, ...lags.map((lag) => Math.round(lagSeconds(lag, systemClock.now())))),
        }),
      );
    } catch (error) {
      io.err(`tocsin: lag cannot be measured: ${String(error)}`);
    }
  };
  void (async () => {
    while (!ended.signal.aborted) {
      await systemClock.sleep(file.report_s * 1000, ended.signal).catch(() => undefined);
      if (!ended.signal.aborted) await report();
    }
  })();
  const failed = await Promise.race([signalled(stop), failure.promise]);
  ended.abort();
  if (failed !== null) {
    io.err(`tocsin: the sink failed: ${failed.message}`);
    return 1;
  }
  await sink.stop();
  await report();
  io.err('tocsin: stopped; everything that was sent is committed');
  return 0;
}

function letterBox(
  place: SinkFile['dead_letters'],
  client: LogClient,
  closing: (() => unknown)[],
): LetterBox {
  if ('topic' in place) {
    const producer = client.producer();
    closing.push(() => producer.close());
    return { send: (records) => producer.send(records.map((record) => ({ ...record, topic: place.topic }))) };
  }
  // Not rotated: rotation ends in deleting.
  const log = createLineLog({ path: place.file, maxBytes: Number.MAX_SAFE_INTEGER });
  closing.push(() => log.close());
  return { send: (records) => log.append(records.map(lineOf)) };
}

/** A dead letter as a line of JSON: its headers by name, the original key and value in base64. */
function lineOf({ key, value, headers = [] }: OutRecord): string {
  const base64 = (bytes: Buffer | string | null): string | null =>
    bytes === null ? null : Buffer.from(bytes as string).toString('base64');
  return JSON.stringify({
    ...Object.fromEntries(headers.map(([name, content]) => [name, String(content)])),
    key: base64(key),
    value: base64(value),
  });
}

function signalled(stop: AbortSignal | undefined): Promise<null> {
  return new Promise((resolve) => {
    const done = (): void => resolve(null);
    stop?.addEventListener('abort', done, { once: true });
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, done);
  });
}

function createCounts(): { metrics: MetricsPort; all(): Record<string, number> } {
  const outcomes: Record<string, number> = {};
  const gauges: Record<string, number> = {};
  return {
    metrics: {
      count(name, labels, by = 1) {
        const outcome = labels?.['outcome'];
        if (name === 'tocsin_sink_events_total' && outcome !== undefined)
          outcomes[outcome] = (outcomes[outcome] ?? 0) + by;
      },
      gauge(name, value) {
        if (name === 'tocsin_sink_paused') gauges['paused'] = value;
        if (name === 'tocsin_sink_unacknowledged') gauges['unacknowledged'] = value;
      },
      observe() {},
    },
    all: () => ({ delivered: 0, dead_letter: 0, ...outcomes, ...gauges }),
  };
}
