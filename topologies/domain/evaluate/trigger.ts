// An input that passed its checks: where it came from, what rules look at, what actions get to see.
import { createHash } from 'node:crypto';
import { checkDocument, formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import type { Command, EventEnvelope, SearchResult } from '@tocsin/schemas/types.ts';
import type { Note } from './refusal.ts';

/** One record of an input topic, decoded. */
export interface EvaluatorInput {
  readonly value: unknown;
  /** Id of the topic in the topology: `search-results` holds search results, every other topic holds events. */
  readonly input: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Epoch ms of the record; negative when it has none. */
  readonly timestamp: number;
  /** Epoch ms of the decision. */
  readonly now: number;
}

/** Rows of a run that are in this input. */
export interface Rows {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  /** Index of rows[0] within the run. */
  readonly base: number;
  /** What the producer says of `base`; null when it says nothing. */
  readonly givenBase: number | null;
  readonly chunk: number;
  readonly chunks: number;
  /** Other chunks belong to the run as well, or this one is numbered as if they did. */
  readonly isPart: boolean;
  /** Source id of the run, the same for all its chunks. */
  readonly run: string;
  /** Of all rows, 8 characters: tells a repeated chunk from another one with its number. */
  digest(): string;
  /** The search result without its rows. */
  readonly search: Record<string, unknown>;
}

export interface Trigger {
  readonly source: Command['source'];
  readonly tenant: string | undefined;
  /** Hops of the commands that this input causes: one more than its own. */
  readonly hops: number;
  readonly createdAt: number;
  readonly event: EventEnvelope | null;
  readonly rows: Rows | null;
  readonly notes: readonly Note[];
}

/** The trigger, or the fields that are wrong. */
export function readTrigger(input: EvaluatorInput): Trigger | { readonly invalid: string } {
  const isSearch = input.input === 'search-results';
  const [value, hopsNotes] = withValidHops(input.value);
  const issues = checkDocument(isSearch ? 'search-result.json' : 'envelope.json', value);
  if (issues.length > 0) return { invalid: formatIssues(issues) };
  const trigger = isSearch
    ? searchTrigger(value as SearchResult, input)
    : eventTrigger(value as EventEnvelope, input);
  return { ...trigger, notes: [...hopsNotes, ...trigger.notes] };
}

// A wrong number of hops must not make a finding disappear into the dead letters; it is read as 0 and noted.
function withValidHops(value: unknown): [unknown, Note[]] {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'hops')) return [value, []];
  const { hops, ...rest } = value as { hops: unknown };
  if (Number.isSafeInteger(hops) && (hops as number) >= 0) return [value, []];
  return [rest, [{ reason: 'invalid_hops' }]];
}

function eventTrigger(event: EventEnvelope, input: EvaluatorInput): Trigger {
  const { topic, partition, offset } = input;
  const id = event.id ?? `${topic}/${partition}/${offset}`;
  return {
    source: { id, kind: 'event', event: event.event, ...recordOf(input) },
    tenant: event.tenant,
    hops: (event.hops ?? 0) + 1,
    createdAt: input.now,
    event,
    rows: null,
    notes: [],
  };
}

function searchTrigger(result: SearchResult, input: EvaluatorInput): Trigger {
  const { rows, ...search } = result;
  const chunks = result.chunks ?? 1;
  const chunk = result.chunk ?? 0;
  const run = `${sourceToken(result.job_id)}/${sourceToken(result.run_id)}`;
  return {
    source: { id: chunks > 1 ? `${run}#${chunk}` : run, kind: 'search-result', ...recordOf(input) },
    tenant: result.tenant,
    hops: (result.hops ?? 0) + 1,
    createdAt: input.now,
    event: null,
    rows: {
      rows,
      base: result.row_base ?? 0,
      givenBase: result.row_base ?? null,
      chunk,
      chunks,
      isPart: chunks > 1 || chunk > 0,
      run,
      digest: digestOf(rows),
      search,
    },
    notes: rows.length === 0 ? [{ reason: 'no_rows' }] : [],
  };
}

// Made when it is asked for, and once: several rules may collect the same chunk.
function digestOf(rows: SearchResult['rows']): () => string {
  let digest: string | null = null;
  return () => {
    digest ??= createHash('sha256').update(JSON.stringify(rows)).digest('base64url').slice(0, 8);
    return digest;
  };
}

// Two different runs must never share an id: job "a/b" with run "c" is not job "a" with run "b/c".
function sourceToken(id: string): string {
  return id.replace(/[%/#]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

function recordOf({
  topic,
  partition,
  offset,
  timestamp,
}: EvaluatorInput): Pick<Command['source'], 'topic' | 'partition' | 'offset' | 'timestamp'> {
  return { topic, partition, offset, ...(timestamp >= 0 ? { timestamp } : {}) };
}
