// Which events a sink forwards: event types, exclusions, severity, asset tags.
//
// Invariant: exclude wins over events; an event without a severity passes unless `drop_unrated`; an event whose asset
// carries no tags is not forwarded once tags are asked for.
// Surprise: no filter means no parsing; and only filters by asset tags need the whole event, the others a skim of its bytes.
import type { SinkConfig } from '@tocsin/schemas/types.ts';
import { severityRank } from '../rules/severity.ts';
import { skimEvent } from './skim.ts';

export type SinkFilters = NonNullable<SinkConfig['filters']>;
export type EventFilter = (event: Readonly<Record<string, unknown>>) => boolean;

/** The filter as a function; null when everything passes. */
export function compileFilter(filters: SinkFilters | undefined): EventFilter | null {
  const checks: EventFilter[] = [];
  const { events, exclude, min_severity, asset_tags, drop_unrated } = filters ?? {};
  if (exclude !== undefined && exclude.length > 0) {
    const patterns = exclude.map(subtypeMatcher);
    checks.push((event) => !patterns.some((matches) => matches(event)));
  }
  if (events !== undefined) {
    const patterns = events.map(typeMatcher);
    checks.push((event) => {
      const type = event.event;
      return typeof type === 'string' && patterns.some((matches) => matches(type));
    });
  }
  if (min_severity !== undefined || drop_unrated === true) {
    const least = min_severity === undefined ? 0 : (severityRank(min_severity) ?? 0);
    checks.push((event) => {
      const rank = severityOf(event);
      return rank === undefined ? drop_unrated !== true : rank >= least;
    });
  }
  if (asset_tags !== undefined && asset_tags.length > 0) {
    const wanted = new Set(asset_tags.map((tag) => tag.toLowerCase()));
    checks.push((event) => tagsOf(event).some((tag) => wanted.has(tag.toLowerCase())));
  }
  return checks.length === 0 ? null : (event) => checks.every((passes) => passes(event));
}

/** The filter over the bytes of a proved event, and null when everything passes. */
export type BytesFilter = (bytes: Buffer, start: number, end: number) => boolean;

/** As `compileFilter`, for events that were not parsed. */
export function compileBytesFilter(filters: SinkFilters | undefined): BytesFilter | null {
  const passes = compileFilter(filters);
  if (passes === null) return null;
  const whole = (filters?.asset_tags ?? []).length > 0;
  return (bytes, start, end) => {
    const skimmed: Readonly<Record<string, unknown>> | null = whole ? null : skimEvent(bytes, start, end);
    return passes(
      skimmed === null
        ? (JSON.parse(bytes.toString('utf8', start, end)) as Record<string, unknown>)
        : skimmed,
    );
  };
}

/** Combinations through which nothing can pass, one line each; for whoever saves the sink. */
export function filterWarnings(filters: SinkFilters | undefined): string[] {
  const exclude = filters?.exclude ?? [];
  const dead = (filters?.events ?? []).filter((type) =>
    exclude.some((pattern) => typeMatcher(pattern)(type)),
  );
  if (filters?.events !== undefined && dead.length === filters.events.length)
    return ['every type in events is excluded: nothing passes'];
  return dead.map((type) => `events names ${type}, which exclude removes`);
}

// `finding.new`, `finding.*`, `*`.
function typeMatcher(pattern: string): (type: string) => boolean {
  if (pattern === '*') return () => true;
  if (!pattern.endsWith('.*')) return (type) => type === pattern;
  const family = pattern.slice(0, -1);
  return (type) => type.startsWith(family);
}

// A type pattern, `<family>.<severity>` such as finding.info, or `<type>:<category>` such as finding.new:tls.
function subtypeMatcher(pattern: string): EventFilter {
  const colon = pattern.indexOf(':');
  if (colon > 0) {
    const matches = typeMatcher(pattern.slice(0, colon));
    const category = pattern.slice(colon + 1).toLowerCase();
    return ({ event, data }) => {
      const found = isObject(data) ? data.category : undefined;
      return (
        typeof event === 'string' &&
        matches(event) &&
        typeof found === 'string' &&
        found.toLowerCase() === category
      );
    };
  }
  const byType = typeMatcher(pattern);
  const dot = pattern.lastIndexOf('.');
  const rank = dot > 0 ? severityRank(pattern.slice(dot + 1)) : undefined;
  const family = pattern.slice(0, dot + 1);
  return (event) => {
    const type = event.event;
    if (typeof type !== 'string') return false;
    return byType(type) || (rank !== undefined && type.startsWith(family) && severityOf(event) === rank);
  };
}

function severityOf({ data }: Readonly<Record<string, unknown>>): number | undefined {
  return isObject(data) ? severityRank(data.severity) : undefined;
}

function tagsOf({ data }: Readonly<Record<string, unknown>>): string[] {
  const asset = isObject(data) ? data.asset : undefined;
  const tags = isObject(asset) ? asset.tags : undefined;
  return Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
