// The search of runs as it comes in a query string or a body, and as the store takes it.
import type { RunFilter } from '@tocsin/adapters/postgres/run-search.ts';
import { parseInstant } from '@tocsin/topologies/domain/rules/instant.ts';
import { badRequest } from './errors.ts';

const text = { type: 'string', minLength: 1, maxLength: 256 } as const;
const time = { type: 'string', minLength: 4, maxLength: 40, description: 'RFC 3339.' } as const;
const flag = { enum: ['true', 'false'] } as const;

export const runStatuses = [
  'running',
  'incident',
  'compensating',
  'completed',
  'failed',
  'cancelled',
] as const;
const waits = ['delay', 'pause', 'action', 'playbook', 'retry', 'event', 'approval', 'operator'] as const;

export const runQuery = {
  playbook: text,
  status: { enum: runStatuses },
  asset: { ...text, description: 'Id or name of the asset.' },
  finding: { ...text, description: 'Id or fingerprint of the finding.' },
  tag: text,
  severity: text,
  started_by: text,
  started_after: time,
  started_before: time,
  waiting_on: { enum: waits, description: 'What the run waits for.' },
  paused: flag,
  dry_run: flag,
  live: { ...flag, description: 'Runs that are not over.' },
  q: { ...text, minLength: 2, description: 'Part of key, title, asset, fingerprint or finding id.' },
} as const;

export type RunQuery = { readonly [name in keyof typeof runQuery]?: string };

/** Throws 400 naming the field. */
export function filterOf(query: RunQuery): RunFilter {
  const { status, started_after, started_before, paused, dry_run, live, ...same } = query;
  const flags = Object.entries({ paused, dry_run, live }).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value === 'true']],
  );
  return {
    ...same,
    ...(status === undefined ? {} : { status: [status] }),
    ...timeOf('started_after', started_after),
    ...timeOf('started_before', started_before),
    ...Object.fromEntries(flags),
  };
}

/** `{name: Date}`, or nothing without a text. Throws 400 naming the field. */
export function timeOf<Name extends string>(
  name: Name,
  value: string | undefined,
): { readonly [key in Name]?: Date } {
  if (value === undefined) return {};
  const at = parseInstant(value);
  if (at === undefined)
    throw badRequest([{ path: `/${name}`, message: 'must be a time such as 2026-04-28T12:00:00Z' }]);
  return { [name]: new Date(at) } as { [key in Name]: Date };
}
