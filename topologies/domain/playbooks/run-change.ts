// Records of the changelog of runs, as they are read back: one applied input of one run, with the state after it.
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import type { FoldChange } from '../../run/fold/fold.ts';
import type { RunChange, RunState } from './machine/state.ts';

export interface RunEvent extends FoldChange<RunState> {
  readonly changes?: readonly RunChange[];
}

export type RunEventRead =
  | { readonly event: RunEvent }
  | { readonly refuse: string; readonly detail: string };

const statuses = ['running', 'incident', 'compensating', 'completed', 'failed', 'cancelled'];

/** One record of the changelog. Never throws. */
export function readRunEvent(value: Buffer): RunEventRead {
  const parsed = parseJson(value, { maxDepth: 128, maxKeys: 100_000, maxBytes: 8 * 1024 * 1024 });
  if (!parsed.ok) return { refuse: 'not_json', detail: `${parsed.reason} ${parsed.detail}` };
  const fault = faultOf(parsed.value);
  if (fault !== null) return { refuse: 'invalid_run_event', detail: fault };
  return { event: parsed.value as unknown as RunEvent };
}

/** The first member that is not what the fold writes; null when all is well. */
function faultOf(value: Record<string, unknown>): string | null {
  if (value['v'] !== 1) return '/v must be 1';
  if (typeof value['key'] !== 'string' || value['key'] === '') return '/key must be a text';
  for (const name of ['version', 'offset', 'at'])
    if (!isWhole(value[name])) return `/${name} must be a whole number`;
  const { state, changes } = value;
  if (changes !== undefined && !isChanges(changes)) return '/changes must be objects with `what`';
  if (state === null) return null;
  if (!isObject(state)) return '/state must be an object or null';
  for (const name of ['run', 'revision', 'started_at'])
    if (!isWhole(state[name])) return `/state/${name} must be a whole number`;
  for (const name of ['playbook', 'by'])
    if (typeof state[name] !== 'string') return `/state/${name} must be a text`;
  if (!statuses.includes(state['status'] as string)) return '/state/status is no status of a run';
  if (!isObject(state['nodes']) || !Object.values(state['nodes']).every(isObject))
    return '/state/nodes must be objects';
  return null;
}

function isChanges(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => isObject(one) && typeof one['what'] === 'string');
}

function isWhole(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
