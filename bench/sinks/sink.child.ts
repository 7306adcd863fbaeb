// The sink process of drive.ts: forwards a topic several times over and reports what that cost it.

import { systemClock } from '@tocsin/adapters/clock/system.ts';
import { createHttpClient } from '@tocsin/adapters/http/client.ts';
import { createEgressPolicy } from '@tocsin/adapters/http/egress-policy.ts';
import { openLogClient, parseLogSettings } from '@tocsin/adapters/log/client.ts';
import { expectLargeBuffers } from '@tocsin/adapters/service/large-buffers.ts';
import { createSyslogClient } from '@tocsin/adapters/syslog/client.ts';
import type { Connection } from '@tocsin/schemas/types.ts';
import { batchLimits } from '@tocsin/topologies/domain/sink/batch.ts';
import { compileBytesFilter, type SinkFilters } from '@tocsin/topologies/domain/sink/filter.ts';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import type { MetricsPort } from '@tocsin/topologies/ports/metrics.ts';
import { SecretValue } from '@tocsin/topologies/ports/secrets.ts';
import { sinkBufferBytes } from '@tocsin/topologies/run/open-sink.ts';
import { createSinkRunner } from '@tocsin/topologies/run/sink.ts';
import { createSinkDecode } from '@tocsin/topologies/run/sink-decode.ts';
import { findSink } from '@tocsin/topologies/sinks/registry.ts';

export interface Plan {
  readonly topic: string;
  /** Of the registry of sinks. */
  readonly type: string;
  readonly events: number;
  readonly rounds: number;
  readonly connection: Connection;
  readonly params: Record<string, unknown>;
  readonly filters?: SinkFilters;
}

export interface RoundResult {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly userSeconds: number;
  readonly rssMb: number;
  readonly delivered: number;
  readonly requests: number;
}

// As services/sinks/main.ts does.
expectLargeBuffers();
const plan = JSON.parse(process.env['BENCH_PLAN'] ?? '') as Plan;
const client = await openLogClient(parseLogSettings(process.env, 'bench-sink'));
const egress = createEgressPolicy({ mode: 'open', allowCidrs: ['127.0.0.0/8'] });
const http = createHttpClient({ egress });
const syslog = createSyslogClient({ egress });
const silent: Logger = { debug() {}, info() {}, warn: report, error: report, child: () => silent };

function report(message: string, fields?: unknown): void {
  process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
}

async function round(number: number): Promise<RoundResult> {
  let delivered = 0;
  let requests = 0;
  let finish = (): void => undefined;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const metrics: MetricsPort = {
    count(name, labels, by = 1) {
      if (name === 'tocsin_sink_requests_total') requests += by;
      if (name !== 'tocsin_sink_events_total' || labels?.['outcome'] !== 'delivered') return;
      delivered += by;
      if (delivered >= plan.events) finish();
    },
    gauge() {},
    observe() {},
  };
  const type = findSink(plan.type)!;
  const wire = type.open(
    plan.params,
    { config: plan.connection, secrets: { token: new SecretValue('bench') } },
    { name: 'bench', onCut: () => undefined },
  );
  const runner = createSinkRunner({
    id: 'bench',
    wire,
    limits: batchLimits(undefined, type.manifest.batch),
    filter: compileBytesFilter(plan.filters),
    decode: createSinkDecode(null),
    ports: { http, syslog },
    letters: { send: () => Promise.reject(new Error('nothing here is poison')) },
    clock: systemClock,
    random: Math.random,
    metrics,
    logger: silent,
  });
  let started = 0;
  let before = process.cpuUsage();
  const consumer = client.consumer({
    group: `${plan.topic}.${number}`,
    topics: [plan.topic],
    maxBufferedBytes: sinkBufferBytes,
    handler: {
      ...runner.handler,
      onBatch(batch, assignment) {
        if (started === 0) {
          started = performance.now();
          before = process.cpuUsage();
        }
        return runner.handler.onBatch(batch, assignment);
      },
    },
    onFailure: (error) => {
      report('consumer failed', String(error.stack));
      process.exit(1);
    },
  });
  await consumer.start();
  await finished;
  const cpu = process.cpuUsage(before);
  const seconds = (performance.now() - started) / 1000;
  const rssMb = process.memoryUsage.rss() / 2 ** 20;
  await consumer.stop();
  await runner.stop();
  return {
    seconds,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    userSeconds: cpu.user / 1e6,
    rssMb,
    delivered,
    requests,
  };
}

for (let number = 0; number < plan.rounds; number++)
  process.stdout.write(`${JSON.stringify(await round(number))}\n`);
await http.close();
process.exit(0);
