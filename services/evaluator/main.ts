// The evaluator: findings, search results and the engine's own events in; commands and starts of runs out.
import { randomInt } from 'node:crypto';
import { createConfigSource } from '@tocsin/adapters/config/config-source.ts';
import { createPlaybookVersions } from '@tocsin/adapters/config/playbook-versions.ts';
import { openLogClient } from '@tocsin/adapters/log/client.ts';
import { createSchemaSource } from '@tocsin/adapters/registry/schema-source.ts';
import { runService } from '@tocsin/adapters/service/run-service.ts';
import { referenceMatches } from '@tocsin/topologies/domain/rules/reference/match-rule.ts';
import { evaluatorFlow } from '@tocsin/topologies/flows/evaluator.ts';
import { groups } from '@tocsin/topologies/groups.ts';
import { createDecider } from '@tocsin/topologies/run/decide.ts';
import { evaluatorTables } from '@tocsin/topologies/run/evaluator-tables.ts';
import { createMatchCheck } from '@tocsin/topologies/run/match-check.ts';
import { createOutbox } from '@tocsin/topologies/run/outbox.ts';
import { readConfig } from './config.ts';

const config = readConfig();

await runService(config.service, async ({ logger, metrics, clock, signal, fail, onStop }) => {
  const client = await openLogClient(config.log);
  const source = createConfigSource({
    client,
    directory: config.configDir,
    logger,
    metrics,
    onFailure: fail,
  });
  const origin = config.configDir === null ? 'published' : 'files';
  const { tables, apply, learn } = evaluatorTables(source.table, randomInt(2 ** 32), origin);
  source.onChange((changes) => {
    for (const problem of apply(changes)) logger.error('left out, or names what does not exist', { problem });
    const { rules, unwitnessed, bytes } = tables.ruleSet.stats();
    metrics.gauge('tocsin_rule_problems', tables.problems.length);
    metrics.gauge('tocsin_matcher_rules', rules);
    metrics.gauge('tocsin_matcher_unwitnessed', unwitnessed);
    metrics.gauge('tocsin_matcher_bytes', bytes);
  });
  const producer = client.producer();
  onStop(() => producer.close());
  const outbox = createOutbox({ producer, clock, logger });
  onStop(() => outbox.stop());
  const versions = createPlaybookVersions({ client, producer: outbox, logger, metrics, onFailure: fail });
  versions.onVersions(learn);
  onStop(() => versions.stop());
  onStop(() => source.stop());
  await versions.start();
  await source.start();

  const check = createMatchCheck({
    reference: (rule, input, moment) => referenceMatches(rule, input, moment),
    rules: () => tables.eventRules,
    lists: () => new Map([...source.table.lists].map(([id, { document }]) => [id, document])),
    every: config.checkEvery,
    metrics,
    logger,
  });
  const consumer = client.consumer({
    group: groups.evaluator.id,
    topics: evaluatorFlow.reads.map((topic) => topic.name),
    handler: createDecider({
      service: evaluatorFlow.service,
      inputs: evaluatorFlow.reads,
      tables: () => tables,
      schemas: createSchemaSource(config.environment),
      outbox,
      publish: versions.publishMissing,
      clock,
      metrics,
      logger,
      signal,
      check,
    }),
    onFailure: fail,
    onNotice: (notice) => {
      metrics.count('tocsin_consumer_notices_total', { service: evaluatorFlow.service, kind: notice.kind });
      logger.info(notice.message, { kind: notice.kind });
    },
  });
  onStop(() => consumer.stop());
  await consumer.start();
});
