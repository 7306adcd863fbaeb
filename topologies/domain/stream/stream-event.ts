// One record of a topic as streams send it: its lines, made once for all clients, and the few members that filters look at.
//
// Invariant: only what is one JSON object in UTF-8 with an `event` is sent; everything else has a reason, and is counted by the caller.
import { isUtf8 } from 'node:buffer';
import type { RecordBatch } from '../../ports/log.ts';
import { redrivenIn } from '../dead-letters/redriven.ts';
import { eventLines } from './frame.ts';

/** The members of an event that filters read, where the event has them. */
export interface EventFacts extends Readonly<Record<string, unknown>> {
  readonly event: string;
  readonly data: {
    readonly severity: string | undefined;
    readonly category: string | undefined;
    readonly asset: { readonly id: string | undefined; readonly tags: readonly string[] };
  };
}

export interface StreamEvent {
  readonly lines: Buffer;
  readonly facts: EventFacts;
}

/**
 * `elsewhere`: sent again from a dead letter for one service. `framed`: binary, such as Avro in the framing of the schema registry.
 */
export type SkipReason = 'tombstone' | 'elsewhere' | 'framed' | 'json' | 'no_event';

export function readStreamEvent(batch: RecordBatch, index: number): StreamEvent | SkipReason {
  const value = batch.value(index);
  if (value === null) return 'tombstone';
  if (redrivenIn(batch, index) !== null) return 'elsewhere';
  // No JSON text begins with NUL; Confluent's framing does.
  if (value[0] === 0) return 'framed';
  const event = parseObject(value);
  if (event === null) return 'json';
  if (typeof event.event !== 'string') return 'no_event';
  const data = objectOr(event.data);
  const asset = objectOr(data.asset);
  return {
    lines: eventLines(event.event, value),
    facts: {
      event: event.event,
      data: {
        severity: textOr(data.severity),
        category: textOr(data.category),
        asset: {
          id: textOr(asset.id),
          tags: Array.isArray(asset.tags) ? asset.tags.filter((tag) => typeof tag === 'string') : [],
        },
      },
    },
  };
}

interface Members {
  readonly [name: string]: unknown;
}

function parseObject(value: Buffer): Members | null {
  if (!isUtf8(value)) return null;
  try {
    const parsed: unknown = JSON.parse(value.toString('utf8'));
    return isObject(parsed) ? parsed : null;
  } catch {
    return null;
  }
}

const objectOr = (value: unknown): Members => (isObject(value) ? value : {});

// What is no text fits no filter, and would only be held.
const textOr = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
