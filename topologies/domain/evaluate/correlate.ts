// An event that some run may wait for: once for each place where waits look in events of its type.
//
// Invariant: the key is made from what stands in the event as it came, whatever is left out of a large one afterwards.
// Surprise: large events are cut down to the members that waits compare most; what is left out is noted, and an event that stays
// too large is refused.
import type { CorrelationEvent, EventEnvelope } from '@tocsin/schemas/types.ts';
import { correlationKey } from '../playbooks/tokens.ts';
import { lookup } from '../templates/lookup.ts';
import { type Note, type Refusal, refusal } from './refusal.ts';

/** Largest event that is handed on as it is, UTF-8 bytes of its JSON. */
export const maxAwaitedBytes = 64 * 1024;

/** One record for the topic of correlations. */
export interface Correlation {
  readonly key: string;
  readonly input: CorrelationEvent;
}

export interface Correlated {
  readonly correlations: readonly Correlation[];
  readonly refused: readonly Refusal[];
  readonly notes: readonly Note[];
}

export const uncorrelated: Correlated = { correlations: [], refused: [], notes: [] };

/** `id`: of the source. `paths`: where waits look, each once. */
export function correlationsOf(event: EventEnvelope, id: string, paths: Iterable<string>): Correlated {
  const keys = [...paths].flatMap((at) => {
    const found = lookup(at, [event]);
    if (typeof found !== 'string' && typeof found !== 'number') return [];
    return found === '' ? [] : [correlationKey(event.tenant ?? '', at, String(found))];
  });
  if (keys.length === 0) return uncorrelated;
  const isLarge = sizeOf(event) > maxAwaitedBytes;
  const handed = isLarge ? reduced(event) : { ...event };
  if (isLarge && sizeOf(handed) > maxAwaitedBytes) {
    const detail = `an event that runs wait for has more than ${maxAwaitedBytes} bytes without its lists and objects`;
    return { ...uncorrelated, refused: [refusal('awaited_event_too_large', detail)] };
  }
  return {
    correlations: keys.map((key) => ({ key, input: { kind: 'event', id, event: handed } })),
    refused: [],
    notes: isLarge ? [{ reason: 'awaited_event_reduced' }] : [],
  };
}

function reduced({ id, event, timestamp, tenant, hops, data }: EventEnvelope): CorrelationEvent['event'] {
  const scalars = Object.entries(data ?? {}).filter(([, value]) => typeof value !== 'object');
  return {
    ...(id === undefined ? {} : { id }),
    event,
    ...(timestamp === undefined ? {} : { timestamp }),
    ...(tenant === undefined ? {} : { tenant }),
    ...(hops === undefined ? {} : { hops }),
    data: Object.fromEntries(scalars),
  };
}

function sizeOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
