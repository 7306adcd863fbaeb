// ./tocsin rules backtest --rule FILE --from TIME --to TIME: a candidate rule over past records, against the live one.
//
// Invariant: it reads without a consumer group and hands the backtest a log that cannot be written; nothing is committed,
// nothing is sent, no service notices it.
import { parseArgs } from 'node:util';
import { createConfigSource } from '@tocsin/adapters/config/config-source.ts';
import { openLogClient } from '@tocsin/adapters/log/client.ts';
import { parseLogSettings } from '@tocsin/adapters/log/settings.ts';
import { createSchemaSource } from '@tocsin/adapters/registry/schema-source.ts';
import { formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import type { ConfigTable } from '@tocsin/topologies/domain/config/config-table.ts';
import { namesEventTypes } from '@tocsin/topologies/domain/evaluate/engine-events.ts';
import { parseInstant } from '@tocsin/topologies/domain/rules/instant.ts';
import { buildNamedLists } from '@tocsin/topologies/domain/rules/named-list.ts';
import { parseRule, type RuleRevision } from '@tocsin/topologies/domain/rules/parse-rule.ts';
import type { LogClient } from '@tocsin/topologies/ports/log.ts';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import { backtest } from '@tocsin/topologies/run/backtest.ts';
import { type Topic, topics } from '@tocsin/topologies/topics.ts';
import { reportJson, reportLines } from './rules-backtest-report.ts';
import { chooseRule, readRuleFiles } from './rules-files.ts';
import { type RulesIo, UsageError } from './rules-io.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** 1 when the candidate or the live rule cannot be used, or the log cannot be read. */
export async function rulesBacktest(
  args: readonly string[],
  io: RulesIo,
  env: Environment = process.env,
): Promise<number> {
  const options = readOptions(args, Date.now());
  const files = await readRuleFiles([options.rule]);
  for (const { file, path, message } of files.problems) io.err(`${file}: ${path}: ${message}`);
  const { rule: candidate, issues } = parseRule(chooseRule(files.rules, options.id, options.rule).document);
  if (candidate === null) {
    io.err(`${options.rule}: ${formatIssues(issues)}`);
    return 1;
  }
  const settings = parseLogSettings(
    { ...env, KAFKA_BROKERS: options.brokers ?? env['KAFKA_BROKERS'] },
    'tocsin-backtest',
  );
  const client = await openLogClient(settings);
  const admin = client.admin();
  try {
    const config = await readConfig(client, options.config, io);
    const live = liveRule(config, options.live ?? candidate.document.id);
    if (typeof live === 'string') {
      io.err(live);
      return 1;
    }
    if (live === null && options.live !== undefined) {
      io.err(`there is no live rule ${options.live}`);
      return 1;
    }
    const named = buildNamedLists(new Map([...config.lists].map(([id, { document }]) => [id, document])));
    const read =
      options.topics === null
        ? topicsOf(candidate)
        : options.topics.map((name) => topicNamed(name, candidate));
    const existing = new Set(await admin.listTopics());
    const missing = read.find(({ name }) => !existing.has(name));
    if (missing !== undefined) {
      io.err(`there is no topic ${missing.name}`);
      return 1;
    }
    const report = await backtest({
      log: { table: client.table, offsetsAt: (topic, time) => admin.offsetsAt(topic, time) },
      topics: read,
      from: options.from,
      to: options.to,
      candidate: { ...candidate, revision: 0 },
      live,
      lists: named.lists,
      schemas: createSchemaSource(env),
      samples: options.samples,
    });
    const facts = {
      candidate,
      live,
      from: options.from,
      to: options.to,
      topics: read.map(({ name }) => name),
    };
    if (options.json) io.out(JSON.stringify(reportJson(facts, report)));
    else for (const line of reportLines(facts, report)) io.out(line);
    return 0;
  } finally {
    await admin.close();
  }
}

function readOptions(args: readonly string[], now: number) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rule: { type: 'string' },
      id: { type: 'string' },
      live: { type: 'string' },
      config: { type: 'string' },
      from: { type: 'string' },
      to: { type: 'string', default: 'now' },
      topics: { type: 'string' },
      brokers: { type: 'string' },
      samples: { type: 'string', default: '5' },
      json: { type: 'boolean', default: false },
    },
  });
  const { rule, from: begin } = values;
  if (rule === undefined || begin === undefined) throw new UsageError('--rule and --from are needed');
  const from = readTime('--from', begin, now);
  const to = readTime('--to', values.to, now);
  if (from >= to) throw new UsageError('--from must be earlier than --to');
  const samples = Number(values.samples);
  if (!Number.isInteger(samples) || samples < 0 || samples > 1_000)
    throw new UsageError(`--samples is a whole number from 0 to 1000, not ${values.samples}`);
  const names = values.topics
    ?.split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names?.length === 0) throw new UsageError('--topics names no topic');
  const { id, live, config = null, brokers, json } = values;
  return { rule, id, live, config, from, to, topics: names ?? null, brokers, samples, json };
}

const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** An ISO 8601 date, now, or now-7d. */
function readTime(option: string, text: string, now: number): number {
  const [matched, count = '0', unit = 's'] = /^now(?:-(\d{1,9})([smhdw]))?$/.exec(text) ?? [];
  const time = matched === undefined ? parseInstant(text) : now - Number(count) * (unitMs[unit] ?? 0);
  if (time === undefined || !Number.isFinite(new Date(time).getTime()))
    throw new UsageError(`${option} is a date such as 2026-04-28T12:00:00Z, now, or now-7d, not ${text}`);
  return time;
}

/** The topics that the evaluator would give to the rule. */
function topicsOf({ document }: Omit<RuleRevision, 'revision'>): Topic[] {
  if (document.source === 'search-results') return [topics.searchResults];
  return namesEventTypes(document) ? [topics.findings, topics.events] : [topics.findings];
}

/** A topic of another name holds what the rule looks at. */
function topicNamed(name: string, { document }: Omit<RuleRevision, 'revision'>): Topic {
  const known = Object.values<Topic>(topics).find((topic) => topic.name === name);
  if (known !== undefined) return known;
  return { ...(document.source === 'search-results' ? topics.searchResults : topics.findings), name };
}

/** The configuration of a folder, or of the topic as it is now. */
async function readConfig(client: LogClient, directory: string | null, io: RulesIo): Promise<ConfigTable> {
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);
  const logger: Logger = {
    debug() {},
    info() {},
    warn: (message, fields) => io.err(`${message}: ${JSON.stringify(fields ?? {})}`),
    error: (message, fields) => io.err(`${message}: ${JSON.stringify(fields ?? {})}`),
    child: () => logger,
  };
  const metrics = { count() {}, gauge() {}, observe() {} };
  const source = createConfigSource({ client, directory, logger, metrics, onFailure: failure.reject });
  try {
    await Promise.race([source.start(), failure.promise]);
    return source.table;
  } finally {
    await source.stop();
  }
}

/** The rule in force, null without one, or why it cannot be used. One that is switched off matches nothing: null. */
function liveRule(config: ConfigTable, id: string): RuleRevision | string | null {
  const held = config.rules.get(id);
  if (held === undefined || held.document.enabled === false) return null;
  const { rule, issues } = parseRule(held.document);
  if (rule === null) return `the live rule ${id} cannot be used: ${formatIssues(issues)}`;
  return { ...rule, revision: held.revision };
}
