// The key of the run that a start names: from `dedupe.key`, or from what the start is about.
//
// Invariant: the same start gives the same key; whoever starts runs asks here, so that all mean the same run.
// Surprise: a value that is missing names nothing. Such a start is a run of its own, because two events without a fingerprint are
// not the same finding.
import type { Playbook } from '@tocsin/schemas/types.ts';
import { digestOf } from '../digest.ts';
import { lookup } from '../templates/lookup.ts';
import { runKey } from './tokens.ts';

/** What `dedupe.key` may name. */
export const startRoots = ['event', 'finding', 'params'];

export interface StartFacts {
  /** The event of the start. */
  readonly event: Readonly<Record<string, unknown>>;
  readonly params?: Readonly<Record<string, unknown>> | undefined;
  readonly tenant?: string | undefined;
  /** Names what the start is about when nothing else does. */
  readonly sourceId: string;
}

export interface StartKey {
  readonly key: string;
  /** Paths of `dedupe.key` that lead to nothing. */
  readonly missing: readonly string[];
}

/** What paths and values of a start see. */
export function startView({ event, params = {} }: Pick<StartFacts, 'event' | 'params'>): object {
  const { data } = event;
  const isObject = typeof data === 'object' && data !== null && !Array.isArray(data);
  return { event, finding: isObject ? data : {}, params };
}

export function startKey({ id, trigger }: Playbook, facts: StartFacts): StartKey {
  const { key: paths = [], onDuplicate } = trigger?.dedupe ?? {};
  const view = startView(facts);
  const values = paths.map((path) => lookup(path, [view]) ?? null);
  const missing = paths.filter((_, index) => values[index] === null);
  const named = missing.length > 0 ? [] : values.map(textOf);
  // Runs of a key that may be live side by side differ by what started them.
  const own = named.length === 0 || onDuplicate === 'parallel' ? [facts.sourceId] : [];
  return { key: runKey(id, facts.tenant ?? '', [...named, ...own]), missing };
}

function textOf(value: unknown): string {
  return typeof value === 'object' ? digestOf(value) : String(value);
}
