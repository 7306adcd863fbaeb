// What a client of the event stream asks for: topics, filters, and where to begin.
import { compileFilter, filterWarnings, type SinkFilters } from '@tocsin/topologies/domain/sink/filter.ts';
import { decodePosition } from '@tocsin/topologies/domain/stream/position.ts';
import type { EventFacts } from '@tocsin/topologies/domain/stream/stream-event.ts';
import type { StreamRequest } from '@tocsin/topologies/run/event-stream/stream-hub.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import { badRequest } from './errors.ts';
import { timeOf } from './run-query.ts';

/** The topics that hold events, in the order of positions. */
export const streamTopics = [topics.findings, topics.events];

const topicIds = streamTopics.map(({ id }) => id as string);
const words = { type: 'string', minLength: 1, maxLength: 4_096 } as const;

export const streamQuery = {
  topics: { ...words, description: `Comma list of ${topicIds.join(', ')}; both without it.` },
  events: { ...words, description: 'Comma list of event types: finding.new, finding.*, *.' },
  exclude: {
    ...words,
    description: 'Comma list of event types, <family>.<severity> or <type>:<category>; wins over events.',
  },
  min_severity: { enum: ['info', 'informational', 'low', 'medium', 'high', 'critical'] },
  drop_unrated: { enum: ['true', 'false'], description: 'Whether events without a severity are left out.' },
  asset_tags: { ...words, description: 'Comma list; events of assets with any of them.' },
  asset_id: { type: 'string', minLength: 1, maxLength: 512, description: 'Events of one asset.' },
  since: { type: 'string', minLength: 1, maxLength: 64, description: 'RFC 3339; by record time.' },
  last_event_id: {
    type: 'string',
    minLength: 1,
    maxLength: 16_384,
    description: 'Where to go on; the header Last-Event-ID wins.',
  },
} as const;

export type StreamQuery = { readonly [name in keyof typeof streamQuery]?: string };

export interface StreamWish {
  readonly request: StreamRequest;
  /** Null when everything passes. */
  readonly passes: ((facts: EventFacts) => boolean) | null;
  readonly warnings: readonly string[];
}

/** `lastEventId` is the header. Throws 400 and names the parameter. */
export function readStreamQuery(query: StreamQuery, lastEventId: string | undefined): StreamWish {
  const asked = wordsOf('topics', query.topics);
  const unknown = asked?.find((id) => !topicIds.includes(id));
  if (unknown !== undefined)
    throw badRequest([{ path: '/topics', message: `has no topic ${unknown}: ${topicIds.join(', ')}` }]);
  const lists = {
    events: wordsOf('events', query.events),
    exclude: wordsOf('exclude', query.exclude),
    asset_tags: wordsOf('asset_tags', query.asset_tags),
  };
  const filters: SinkFilters = {
    ...Object.fromEntries(Object.entries(lists).filter(([, list]) => list !== undefined)),
    ...(query.min_severity === undefined
      ? {}
      : { min_severity: query.min_severity as NonNullable<SinkFilters['min_severity']> }),
    drop_unrated: query.drop_unrated === 'true',
  };
  return {
    request: {
      topics: topicIds.filter((id) => asked?.includes(id) !== false),
      from: fromOf(query, lastEventId),
    },
    passes: passesOf(filters, query.asset_id),
    warnings: filterWarnings(filters),
  };
}

function passesOf(filters: SinkFilters, asset: string | undefined): StreamWish['passes'] {
  const filter = compileFilter(filters);
  if (asset === undefined) return filter;
  return (facts) => facts.data.asset.id === asset && (filter === null || filter(facts));
}

// A browser that comes back repeats the address, `since` and all, and says in the header how far it got.
function fromOf(
  { since, last_event_id }: StreamQuery,
  lastEventId: string | undefined,
): StreamRequest['from'] {
  const [path, text] = lastEventId ? ['/Last-Event-ID', lastEventId] : ['/last_event_id', last_event_id];
  if (text !== undefined) {
    const position = decodePosition(text);
    if (position === null) throw badRequest([{ path, message: 'is not an id of this stream' }]);
    return { kind: 'position', position };
  }
  const time = timeOf('since', since)?.['since'];
  return time === undefined ? { kind: 'now' } : { kind: 'time', at: time.getTime() };
}

function wordsOf(name: string, text: string | undefined): string[] | undefined {
  const list = text?.split(',').map((word) => word.trim());
  if (list?.includes('')) throw badRequest([{ path: `/${name}`, message: 'has an empty entry' }]);
  return list;
}
