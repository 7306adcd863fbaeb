// When a batch is full or due: by bytes, by events, by time; at once when the sink is idle.
import type { SinkConfig } from '@tocsin/schemas/types.ts';

export interface BatchLimits {
  readonly maxBytes: number;
  readonly maxEvents: number;
  /** Longest wait of the first event for company while requests are in flight, ms. */
  readonly lingerMs: number;
  /** Most requests at a time. */
  readonly inFlight: number;
  /** As few requests at a time as an overloaded receiver can bring it to. */
  readonly minInFlight: number;
}

/** The defaults of schemas/documents/sink.json. */
export const defaultBatch: BatchLimits = {
  maxBytes: 1_048_576,
  maxEvents: 10_000,
  lingerMs: 100,
  inFlight: 4,
  minInFlight: 1,
};

/** The limits of a document; `ofType` are those of its sink type. */
export function batchLimits(config: SinkConfig['batch'], ofType: Partial<BatchLimits> = {}): BatchLimits {
  const otherwise = { ...defaultBatch, ...ofType };
  return {
    maxBytes: config?.max_bytes ?? otherwise.maxBytes,
    maxEvents: config?.max_events ?? otherwise.maxEvents,
    lingerMs: config?.linger_ms ?? otherwise.lingerMs,
    inFlight: config?.in_flight ?? otherwise.inFlight,
    minInFlight: config?.min_in_flight ?? otherwise.minInFlight,
  };
}

/** Whether an event of at most `bytes` may join a batch that holds `used` bytes in `events` events. An empty one takes any. */
export function fits(limits: BatchLimits, used: number, events: number, bytes: number): boolean {
  return events === 0 || (events < limits.maxEvents && used + bytes <= limits.maxBytes);
}

/** What to do with an unfinished batch when no more records are at hand. Nothing in flight means nobody to wait for. */
export function whenIdle(
  limits: BatchLimits,
  events: number,
  inFlight: number,
): 'nothing' | 'flush' | 'linger' {
  if (events === 0) return 'nothing';
  return inFlight === 0 || limits.lingerMs === 0 || events >= limits.maxEvents ? 'flush' : 'linger';
}
