// The running configuration of a service, from the compacted topic or from a folder of files.
//
// Invariant: `start` resolves only when the whole configuration that existed at the call was applied, so no record is
// judged by half a rule set.

import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import { checkDocument, formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import type { ConfigRecord } from '@tocsin/schemas/types.ts';
import {
  type ConfigChange,
  type ConfigTable,
  createConfigFold,
  tableOf,
} from '@tocsin/topologies/domain/config/config-table.ts';
import type { LogClient, RecordBatch } from '@tocsin/topologies/ports/log.ts';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import type { MetricsPort } from '@tocsin/topologies/ports/metrics.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import { readConfigDirectory, watchConfigDirectory } from './directory.ts';

export interface ConfigSource {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Live: always the newest state. */
  readonly table: ConfigTable;
  /** Documents that were left out, newest state per key. */
  readonly problems: readonly string[];
  /** Called after changes that came together, with what changed; `table` shows them already. */
  onChange(listener: (changes: readonly ConfigChange[]) => void): void;
}

export interface ConfigSourceOptions {
  readonly client: LogClient;
  /** Folder of YAML and JSON documents; config.v1 is not read then. */
  readonly directory: string | null;
  readonly logger: Logger;
  readonly metrics: MetricsPort;
  readonly onFailure: (error: Error) => void;
}

/** One entry of a source: the key, and the record or null for a deletion. */
export interface ConfigEntry {
  readonly key: string;
  readonly record: ConfigRecord | null;
}

export function createConfigSource(options: ConfigSourceOptions): ConfigSource {
  const { client, directory, logger, metrics } = options;
  const fold = createConfigFold();
  const problems = new Map<string, string>();
  const listeners: ((changes: readonly ConfigChange[]) => void)[] = [];

  function leaveOut(key: string, problem: string): void {
    problems.set(key, problem);
    logger.error('configuration document left out', { problem });
  }

  function apply(entries: readonly ConfigEntry[]): void {
    const changes: ConfigChange[] = [];
    for (const { key, record } of entries) {
      const { change, problem } = fold.apply(key, record);
      if (change !== undefined) changes.push(change);
      if (problem === undefined) problems.delete(key);
      else leaveOut(key, problem);
    }
    metrics.gauge('tocsin_config_problems', problems.size);
    if (changes.length === 0) return;
    for (const kind of Object.values(tableOf))
      metrics.gauge('tocsin_config_documents', fold.table[kind].size, { kind });
    for (const listener of listeners) listener(changes);
  }

  const reader =
    directory === null
      ? client.table({
          topic: topics.config.name,
          onBatch: (batch) => apply(entriesOf(batch, leaveOut)),
          onFailure: options.onFailure,
        })
      : null;
  let stopWatching: (() => void) | null = null;

  return {
    async start() {
      if (reader !== null) return reader.start();
      const entries = await readConfigDirectory(directory!);
      apply(entries.entries);
      for (const problem of entries.problems) logger.error('configuration file left out', { problem });
      stopWatching = watchConfigDirectory(directory!, entries, (changed, unreadable) => {
        apply(changed);
        for (const problem of unreadable) logger.error('configuration file left out', { problem });
      });
    },
    async stop() {
      stopWatching?.();
      await reader?.stop();
    },
    table: fold.table,
    get problems() {
      return [...problems.values()];
    },
    onChange(listener) {
      listeners.push(listener);
    },
  };
}

function entriesOf(batch: RecordBatch, onProblem: (key: string, problem: string) => void): ConfigEntry[] {
  const entries: ConfigEntry[] = [];
  for (let index = 0; index < batch.count; index += 1) {
    const key = batch.key(index)?.toString('utf8') ?? '';
    const value = batch.value(index);
    if (value === null) {
      entries.push({ key, record: null });
      continue;
    }
    // A document may use all levels that a body may have; the record is one more.
    const parsed = parseJson(value, { maxDepth: 128 });
    if (!parsed.ok) {
      onProblem(key, `${key}: ${parsed.reason} ${parsed.detail}`);
      continue;
    }
    const issues = checkDocument('config-record.json', parsed.value);
    if (issues.length > 0) onProblem(key, `${key}: ${formatIssues(issues)}`);
    else entries.push({ key, record: parsed.value as unknown as ConfigRecord });
  }
  return entries;
}
