// A run by its key, or why there is none: never was, not told of yet, not started.
import type { RunRecord } from '@tocsin/adapters/postgres/run-search.ts';
import type { Dependencies } from './dependencies.ts';
import { ApiError, notFound } from './errors.ts';

export function isRunKey(key: string): boolean {
  return /^[\w.:@-]{1,256}$/.test(key);
}

/** Throws 404; says so when the run was started here and the recorder has not told of it yet. */
export async function knownRun(
  { runs, audit }: Pick<Dependencies, 'runs' | 'audit'>,
  key: string,
  number?: number,
): Promise<RunRecord> {
  if (!isRunKey(key)) throw notFound();
  const run = await runs.get(key, number);
  if (run !== null) return run;
  const [refused] = (await runs.changes(key, 0, { limit: 200 })).slice(-1);
  if (refused !== undefined && number === undefined) {
    const { reason, error } = refused['facts'] as { reason?: unknown; error?: unknown };
    throw new ApiError(
      404,
      'not_started',
      `the run was not started: ${String(reason ?? error ?? refused['what'])}`,
    );
  }
  const page = { limit: 1, order: 'newest' } as const;
  const [started] = await audit.list({ object: `run/${key}`, verb: 'start' }, page);
  if (started === undefined || number !== undefined) throw notFound();
  throw new ApiError(
    404,
    'not_yet',
    `the start of this run was accepted at ${started.at.toISOString()}; its first step is not recorded yet`,
    { headers: { 'retry-after': '1' } },
  );
}
