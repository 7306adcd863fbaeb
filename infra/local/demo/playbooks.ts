// The playbook part of the demo: a lead with a key of her own decides at the gates, and every run is followed to its end.
import { setTimeout as sleep } from 'node:timers/promises';
import { durationMs } from '@tocsin/topologies/domain/playbooks/duration.ts';
import { type ApiClient, createApiClient } from './api.ts';

/** How much shorter the delays of playbooks are in the demo: a day is 6 seconds. */
export const delayScale = 14_400;

/** A playbook whose delays are `delayScale` times shorter, and a second at least; deadlines stay. */
export function withShortDelays<Value>(value: Value): Value {
  if (Array.isArray(value)) return value.map(withShortDelays) as Value;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      name === 'delay' && typeof member === 'string' ? shortened(member) : withShortDelays(member),
    ]),
  ) as Value;
}

function shortened(duration: string): string {
  return `PT${Math.max(1, Math.round(durationMs(duration) / delayScale / 1000))}S`;
}

export interface ShownRun {
  readonly key: string;
  readonly playbook: string;
  readonly status: string;
  readonly title?: string;
  readonly asset_name?: string;
  readonly started_at: string;
  readonly ended_at?: string;
}

export interface ShownChange {
  readonly at: string;
  readonly what: string;
  readonly step: string | null;
  readonly status: string | null;
  readonly actor: string | null;
  /** What else the change tells, by its kind. */
  readonly [fact: string]: unknown;
}

export interface PlayedRun {
  readonly run: ShownRun;
  readonly history: readonly ShownChange[];
}

interface Page<Item> {
  readonly items: readonly Item[];
}

interface Gate {
  readonly id: string;
  readonly title: string;
  readonly digest: string;
}

/** Decides at every gate as the lead, rejecting the first, until no run is live; rejects after `timeoutMs`. */
export async function leadDecides(
  admin: ApiClient,
  baseUrl: string,
  timeoutMs: number,
): Promise<readonly PlayedRun[]> {
  const { key } = await admin.post<{ key: string }>('/api/keys', {
    name: 'lead of the demo',
    role: 'approver',
    user: 'dana',
    roles: ['soc-lead'],
    expires_in_days: 1,
  });
  const lead = createApiClient(baseUrl, key);
  const deadline = performance.now() + timeoutMs;
  let decided = 0;
  for (;;) {
    for (const { id, digest } of (await lead.get<Page<Gate>>('/api/approvals?mine=true')).items) {
      const decision = decided === 0 ? 'reject' : 'approve';
      await lead.post(`/api/approvals/${id}`, { decision, digest, comment: `${decision} in the demo` });
      decided += 1;
    }
    const { items } = await admin.get<Page<ShownRun>>('/api/runs?limit=200');
    if (items.length > 0 && items.every(({ ended_at }) => ended_at !== undefined))
      return Promise.all(items.map((run) => playedRun(admin, run)));
    if (performance.now() > deadline)
      throw new Error(
        `runs that have not ended: ${items.map(({ key, status }) => `${key} ${status}`).join(', ')}`,
      );
    await sleep(250);
  }
}

async function playedRun(api: ApiClient, run: ShownRun): Promise<PlayedRun> {
  const { items } = await api.get<Page<ShownChange>>(`/api/runs/${run.key}/history?limit=200`);
  return { run, history: items };
}

/** `time after the start, step, what happened`, as the history of the run tells it. */
export function timelineOf({ run, history }: PlayedRun): [string, string][] {
  const start = Date.parse(run.started_at);
  return history.flatMap((change): [string, string][] => {
    const told = tell(change);
    if (told === null) return [];
    const seconds = ((Date.parse(change.at) - start) / 1000).toFixed(1).padStart(5);
    return [[`${seconds} s  ${change.step ?? 'run'}`, told]];
  });
}

function tell(change: ShownChange): string | null {
  const { what, status, actor } = change;
  if (what === 'run' || what === 'operator') return status;
  if (what === 'step') return status === 'running' ? null : [status, change['code']].join(' ').trim();
  if (what === 'command') return `sends ${change['type']} ${change['command_id']}`;
  if (what === 'vote') return `${change['verdict']} by ${actor}, ${status}`;
  if (what === 'branch') return `takes ${change['took']}`;
  return null;
}
