// What people search of runs: rows of runs, of their history, and of approval gates, from the records of the changelog. Pure.
//
// Invariant: the rows depend on the record alone, and a row says which version of its run it is, so that replays change nothing.
// Surprise: a run that is over has forgotten its event; what was learnt from it at the start stays, where a column here is null.
// One record may end a run and start the next one of its key (onDuplicate: restart); its changes belong to both.

import { sizeOf } from '../action/kept-output.ts';
import { digestOf } from '../digest.ts';
import { lookup } from '../templates/lookup.ts';
import { approvalId } from './gate.ts';
import { isOver, type Node, type RunChange, type RunState } from './machine/state.ts';
import type {
  ApprovalEnding,
  ApprovalRow,
  ChangeRow,
  RunEnding,
  RunRow,
  RunRows,
  Waiting,
} from './projection-rows.ts';
import type { RunEvent } from './run-change.ts';
import { formatToken } from './tokens.ts';

/** UTF-8 bytes of a state that are kept as they are. */
export const keptStateBytes = 256 * 1024;

/** The rows of one record. */
export function rowsOf(event: RunEvent): RunRows {
  const { key, version, at, state } = event;
  const told = event.changes ?? [];
  const number = state?.run ?? 0;
  const restarted = state === null ? 0 : restartAt(told, number);
  const numberOf = (seq: number): number => (seq < restarted ? number - 1 : number);
  const endings = told.slice(0, restarted).flatMap((change): RunEnding[] =>
    change.what === 'run' && change.status !== undefined
      ? [
          {
            key,
            number: number - 1,
            version,
            status: change.status,
            reason: textOf(change['reason']),
            ended_at: at,
          },
        ]
      : [],
  );
  return {
    runs: state === null ? [] : [runRow(event, state)],
    endings,
    changes: told.map((change, seq) => changeRow(event, numberOf(seq), change, seq)),
    approvals: state === null ? [] : openApprovals(event, state, told.slice(restarted)),
    approvalEndings: [
      ...told.flatMap((change, seq): ApprovalEnding[] => {
        const status = endOfGate(change);
        const place = change.place ?? null;
        return status === null || place === null
          ? []
          : [{ key, number: numberOf(seq), version, place, status, closed_at: at }];
      }),
      ...endings.map((ended) => allOf(ended.key, ended.number, version, at)),
      ...(state !== null && isOver(state.status) ? [allOf(key, number, version, at)] : []),
    ],
  };
}

function allOf(key: string, number: number, version: number, at: number): ApprovalEnding {
  return { key, number, version, place: null, status: 'cancelled', closed_at: at };
}

/** Changes before the start of this run are those of the one before it. */
function restartAt(told: readonly RunChange[], number: number): number {
  return Math.max(
    0,
    told.findIndex(
      (change) => change.what === 'run' && change.status === 'running' && change['number'] === number,
    ),
  );
}

const gateEnds: Readonly<Record<string, ApprovalEnding['status']>> = {
  succeeded: 'approved',
  rejected: 'rejected',
  expired: 'expired',
  failed: 'failed',
  incident: 'failed',
  skipped: 'skipped',
  cancelled: 'cancelled',
  left: 'cancelled',
};

/** How a step that was a gate has ended by this change. A list of onError or onReject begins after the decision and ends the step later. */
function endOfGate({ what, status, ...facts }: RunChange): ApprovalEnding['status'] | null {
  if (what === 'step') return gateEnds[status ?? ''] ?? null;
  if (what !== 'branch' || typeof facts['code'] !== 'string') return null;
  return facts['code'] === 'rejected' || facts['code'] === 'expired' ? facts['code'] : 'failed';
}

function runRow({ key, version, at }: RunEvent, state: RunState): RunRow {
  const { source, event } = state;
  const data = event === undefined ? [] : [event['data']];
  const waiting = Object.entries(state.nodes).flatMap(([place, node]) => {
    const reason = waitingFor(node);
    const until = node.due === undefined ? undefined : Math.min(...Object.values(node.due));
    return reason === null
      ? []
      : [{ place, for: reason, since: node.at, ...(until === undefined ? {} : { until }) }];
  });
  return {
    key,
    number: state.run,
    version,
    playbook: state.playbook,
    revision: state.revision,
    status: state.status,
    paused: state.paused !== undefined,
    dry_run: state.dry_run === true,
    started_by: state.by,
    tenant: state.tenant ?? null,
    parent_key: state.parent?.key ?? null,
    source: source ?? null,
    source_id: source?.id ?? null,
    event_type: textOf(event?.['event']),
    finding_id: firstText(data, ['finding_id', 'finding.id', 'id']),
    fingerprint: firstText(data, ['fingerprint', 'finding.fingerprint']),
    severity: firstText(data, ['severity', 'finding.severity']),
    title: firstText(data, ['title', 'finding.title']),
    asset_id: firstText(data, ['asset.id', 'asset_id']),
    asset_name: firstText(data, ['asset.name', 'asset_name', 'asset.hostname', 'hostname']),
    tags: tagsOf(data),
    waiting_on: [...new Set(waiting.map((one) => one.for))].sort(),
    waiting: waiting.slice(0, 50),
    reason: state.fault === undefined ? (state.reason ?? null) : state.fault.error,
    started_at: state.started_at,
    ended_at: state.ended_at ?? null,
    changed_at: at,
    state: keptState(state),
  };
}

function keptState(state: RunState): unknown {
  const bytes = sizeOf(state);
  return bytes <= keptStateBytes ? state : { truncated: true, bytes, sha256: digestOf(state) };
}

function waitingFor(node: Node): Waiting | null {
  switch (node.s) {
    case 'delayed':
      return 'delay';
    case 'held':
      return 'pause';
    case 'retrying':
      return 'retry';
    case 'waiting':
      return 'event';
    case 'open':
      return 'approval';
    case 'incident':
      return 'operator';
    case 'running':
      return node.child !== undefined ? 'playbook' : node.command !== undefined ? 'action' : null;
    case 'handling':
      return null;
  }
}

function changeRow(
  { key, version, offset, at }: RunEvent,
  number: number,
  { what, step, place, status, ...rest }: RunChange,
  seq: number,
): ChangeRow {
  return {
    key,
    number,
    version,
    input_offset: offset,
    seq,
    at,
    what,
    step: step ?? null,
    place: place ?? null,
    status: status ?? null,
    // `by` of a gate that opens is the list of its approvers.
    actor: textOf(rest['actor']) ?? textOf(rest['by']),
    decision_id: textOf(rest['decision_id']),
    facts: rest,
  };
}

function openApprovals(event: RunEvent, state: RunState, told: readonly RunChange[]): ApprovalRow[] {
  const { key, version } = event;
  return Object.entries(state.nodes).flatMap(([place, node]): ApprovalRow[] => {
    if (node.s !== 'open') return [];
    const opened = told.findLast(
      (change) => change.what === 'step' && change.status === 'open' && change.place === place,
    );
    const token = formatToken({ key, run: state.run, place, epoch: node.e, purpose: '' });
    return [
      {
        id: approvalId(token),
        token,
        key,
        number: state.run,
        version,
        playbook: state.playbook,
        revision: state.revision,
        dry_run: state.dry_run === true,
        place,
        step: opened?.step ?? place.slice(0, place.lastIndexOf('#')).split('/').at(-1) ?? place,
        title: textOf(opened?.['title']),
        message: textOf(opened?.['message']),
        sends: opened?.['sends'] ?? null,
        approvers: textsOf(opened?.['by']),
        added: node.added ?? [],
        excluded: textsOf(opened?.['excluded']),
        delegate_to: textsOf(opened?.['delegate_to']),
        delegates: node.delegates ?? {},
        quorum: opened?.['quorum'] ?? null,
        votes: node.votes ?? [],
        digest: node.digest ?? '',
        opened_at: node.at,
        until: node.due?.['deadline'] ?? null,
      },
    ];
  });
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value.slice(0, 4096) : null;
}

function textsOf(value: unknown): string[] | null {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : null;
}

/** The first of the paths that holds a text or a number. */
function firstText(data: readonly unknown[], paths: readonly string[]): string | null {
  for (const path of paths) {
    const found = lookup(path, data);
    if (typeof found === 'number') return String(found);
    const text = textOf(found)?.slice(0, 512);
    if (text !== undefined) return text;
  }
  return null;
}

function tagsOf(data: readonly unknown[]): string[] | null {
  if (data.length === 0) return null;
  const all = ['tags', 'asset.tags', 'asset_tags'].flatMap((path) => textsOf(lookup(path, data)) ?? []);
  return [...new Set(all.map((tag) => tag.slice(0, 128)))].slice(0, 100);
}
