// The evaluator's runner on twins: rules and actions in, what it sends, counts and completes out.
import type { SchemaSource } from '@tocsin/schemas/codecs/decode.ts';
import type { ConfigRecord, PlaybookVersion } from '@tocsin/schemas/types.ts';
import type { ActionManifest } from '../domain/action/define-action.ts';
import { createConfigFold } from '../domain/config/config-table.ts';
import type { VersionOrigin } from '../domain/evaluate/playbook-heads.ts';
import { buildTables, type EvaluatorTables } from '../domain/evaluate/tables.ts';
import { fakeClock } from '../ports/fakes/clock.ts';
import { fakeLogger } from '../ports/fakes/logger.ts';
import { fakeMetrics } from '../ports/fakes/metrics.ts';
import type { OutRecord } from '../ports/log.ts';
import { createDecider } from '../run/decide.ts';
import { createOutbox } from '../run/outbox.ts';
import { topics } from '../topics.ts';

const manifest = {
  id: 'log',
  runOnce: 'first',
  defaultMode: 'all',
  params: { type: 'object' },
} as unknown as ActionManifest;

export interface TestDeciderOptions {
  /** Configuration documents at revision 1; actions of type log are known. */
  readonly documents: readonly ConfigRecord['document'][];
  readonly schemas?: SchemaSource;
  /** Instead of keeping what is sent. */
  readonly send?: (records: readonly OutRecord[]) => Promise<void>;
  /** Where versions of playbooks come from; default published. */
  readonly versions?: VersionOrigin;
  readonly publish?: (versions: readonly PlaybookVersion[]) => Promise<void>;
  /** Epoch ms at the start; default 5,000. */
  readonly now?: number;
}

function tablesOf(documents: readonly ConfigRecord['document'][], versions: VersionOrigin): EvaluatorTables {
  const { table, apply } = createConfigFold();
  for (const document of documents) {
    const record: ConfigRecord = { v: 1, revision: 1, updated_at: 0, document };
    const { problem } = apply(`${document['kind']}/${document['id']}`, record);
    if (problem !== undefined) throw new Error(problem);
  }
  return buildTables(table, new Map([['log', manifest]]), { versions });
}

export function createTestDecider({
  documents,
  schemas,
  send,
  versions = 'published',
  publish,
  now = 5_000,
}: TestDeciderOptions) {
  const sent: OutRecord[] = [];
  const clock = fakeClock(now);
  const metrics = fakeMetrics();
  const logger = fakeLogger();
  const keep = async (records: readonly OutRecord[]): Promise<void> => {
    sent.push(...records);
  };
  const producer = { send: send ?? keep, close: async () => undefined };
  const tables = tablesOf(documents, versions);
  const handler = createDecider({
    service: 'evaluator',
    inputs: [topics.findings, topics.searchResults, topics.events],
    tables: () => tables,
    schemas: schemas ?? null,
    outbox: createOutbox({ producer, clock, logger }),
    ...(publish === undefined ? {} : { publish }),
    clock,
    metrics,
    logger,
    signal: new AbortController().signal,
  });
  const on = (topic: string): OutRecord[] => sent.filter((record) => record.topic === topic);
  const reasons = (): (string | undefined)[] =>
    on(topics.deadLetters.name).map((record) =>
      record.headers?.find(([name]) => name === 'x-dlq-reason')?.[1].toString(),
    );
  return { handler, sent, on, reasons, clock, metrics };
}
