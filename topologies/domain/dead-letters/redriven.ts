// Records that come from a dead letter: the headers that say so, and what a reader makes of them.
//
// Invariant: a record that was sent again for one service is nothing to the others that read its topic, and its source id is that of the
// record that it was first: commands that were made of it before keep their ids.
import type { RecordBatch } from '../../ports/log.ts';

export const redriveHeaders = {
  /** Id of the letter. */
  of: 'x-redrive-of',
  /** How often the record was sent again so far, this time included. */
  count: 'x-redrive-count',
  /** topic/partition/offset of the record that it was first. */
  source: 'x-redrive-source',
  /** The service that gave it up, as in x-dlq-service. */
  for: 'x-redrive-for',
} as const;

const names: readonly string[] = Object.values(redriveHeaders);

export const isRedriveHeader = (name: string): boolean => names.includes(name);

export interface Redriven {
  readonly of: string;
  readonly count: number;
  readonly source: Place;
  readonly for: string;
}

/** Where a record is in the log. */
export interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** What the headers of a record say; null when it was not sent again, or when they say nothing that fits. */
export function readRedriven(headers: readonly (readonly [string, Buffer])[]): Redriven | null {
  const found = new Map(headers.filter(([name]) => isRedriveHeader(name)));
  if (found.size < names.length) return null;
  const text = (name: string): string => found.get(name)?.toString('utf8') ?? '';
  const source = readPlace(text(redriveHeaders.source));
  const count = text(redriveHeaders.count);
  if (source === null || !/^[1-9]\d{0,5}$/.test(count)) return null;
  return {
    of: text(redriveHeaders.of),
    count: Number(count),
    source,
    for: text(redriveHeaders.for),
  };
}

/** The same of a record in a batch; costs next to nothing for records without headers. */
export function redrivenIn(batch: RecordBatch, index: number): Redriven | null {
  return batch.headerSize(index).count < names.length ? null : readRedriven(batch.headers(index));
}

/** `topic/partition/offset`; an offset of -1 says that none is known. */
export function readPlace(text: string): Place | null {
  const [, topic, partition, offset] = /^([\w.-]{1,249})\/(\d{1,10})\/(-1|\d{1,16})$/.exec(text) ?? [];
  if (topic === undefined || !Number.isSafeInteger(Number(offset))) return null;
  return { topic, partition: Number(partition), offset: Number(offset) };
}
