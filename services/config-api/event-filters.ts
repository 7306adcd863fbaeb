// The filters of the SIEM guide as they come in a body: event types at the top or among the filters, both together meaning what is in both.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { SinkConfig } from '@tocsin/schemas/types.ts';
import { filterWarnings } from '@tocsin/topologies/domain/sink/filter.ts';
import { unprocessable } from './errors.ts';

export type Filters = NonNullable<SinkConfig['filters']>;

const pattern = '^(\\*|[a-z][a-z0-9_]{0,63}(\\.[a-z0-9_]{1,64}){0,6}(\\.\\*)?)$';

export const eventsSchema = {
  type: 'array',
  minItems: 1,
  maxItems: 100,
  uniqueItems: true,
  items: { type: 'string', pattern, maxLength: 256 },
  description: 'Event types; finding.* is a whole family.',
} as const;

const severities = ['info', 'informational', 'low', 'medium', 'high', 'critical'] as const;
const texts = (description: string) => ({
  type: 'array',
  maxItems: 100,
  uniqueItems: true,
  items: { type: 'string', minLength: 1, maxLength: 256 },
  description,
});

export const filtersSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    events: eventsSchema,
    exclude: texts(
      'Event types, finding.info (a severity of a family) or finding.new:tls (a category). Wins over events.',
    ),
    min_severity: { enum: severities, description: 'Events without a severity pass unless drop_unrated.' },
    asset_tags: texts('Only events whose data.asset.tags has one of these.'),
    drop_unrated: { type: 'boolean' },
  },
} as const;

// Those that the source documents and the engine name; others are forwarded as well, since producers may have their own.
const known = [
  'scan.created',
  'scan.progress',
  'scan.completed',
  'scan.failed',
  'finding.new',
  'finding.updated',
  'finding.status_changed',
  'finding.fixed',
  'asset.created',
  'asset.verified',
  'action.triggered',
  'action.completed',
  'action.failed',
  'playbook.started',
  'playbook.completed',
  'playbook.failed',
  'system.alert',
  'incident.created',
  'incident.changed',
  'risk.scored',
  'mitre.recorded',
  'webhook.test',
];

/** The filters of the sink document. Throws 422 when nothing can be in both lists. */
export function filtersOf(events: readonly string[] | undefined, filters: Filters | undefined): Filters {
  const { events: inner, ...rest } = filters ?? {};
  if (events === undefined && inner === undefined) return rest;
  if (events === undefined || inner === undefined) return { ...rest, events: [...(events ?? inner ?? [])] };
  const both = events.flatMap((outer) =>
    inner.flatMap((each) => (covers(outer, each) ? [each] : covers(each, outer) ? [outer] : [])),
  );
  if (both.length === 0)
    throw unprocessable([{ path: '/filters/events', message: 'names nothing that /events names' }]);
  return { ...rest, events: [...new Set(both)] };
}

/** What is likely to be a mistake, as issues of the body. */
export function filterNotes(filters: Filters): Issue[] {
  const unknown = (filters.events ?? []).filter((type) => !known.some((each) => covers(type, each)));
  return [
    ...unknown.map((type) => ({ path: '/events', message: `${type} is no event type that is known here` })),
    ...filterWarnings(filters).map((message) => ({ path: '/filters/exclude', message })),
  ];
}

function covers(outer: string, inner: string): boolean {
  if (outer === '*' || outer === inner) return true;
  return outer.endsWith('.*') && inner.startsWith(outer.slice(0, -1));
}
