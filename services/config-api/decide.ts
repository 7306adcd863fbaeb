// One decision of one person at a gate, by key or by link: what the projection knows is told at once, then the state machine decides.
import type { Actor } from '@tocsin/adapters/postgres/access.ts';
import type { Approval, Person } from '@tocsin/adapters/postgres/approval-store.ts';
import type { ConfigWriter } from '@tocsin/adapters/postgres/config-store.ts';
import type { DecisionInput } from '@tocsin/schemas/types.ts';
import { gateRefusal } from '@tocsin/topologies/domain/playbooks/gate.ts';
import type { Dependencies } from './dependencies.ts';
import { ApiError } from './errors.ts';
import type { RunInputs } from './run-inputs.ts';

export interface Verdict {
  readonly verdict: 'approve' | 'reject' | 'delegate';
  readonly digest: string;
  readonly to?: string;
  readonly comment?: string;
}

/** What became of a decision; pending: the state machine has not answered yet. */
export type Outcome =
  | { readonly status: 'counted' }
  | { readonly status: 'pending' }
  | { readonly status: 'ignored'; readonly reason: string };

export interface DecideOptions {
  readonly runs: Dependencies['runs'];
  readonly inputs: RunInputs;
  /** Longest wait for the state machine, ms. */
  readonly waitMs: number;
}

export interface Decider {
  readonly actor: Actor;
  readonly person: Person;
  readonly via: 'api' | 'link';
  readonly decisionId: string;
}

const statusOf = {
  self: 403,
  not_approver: 403,
  decided: 409,
  delegated: 409,
  digest_mismatch: 409,
  not_delegable: 422,
} as const;

/** Throws 409 when the gate is closed, else as the gate refuses: 403, 409 or 422. */
export async function checkDecision(
  { runs }: Pick<DecideOptions, 'runs'>,
  approval: Approval,
  person: Person,
  { verdict, digest, to }: Verdict,
  now: Date,
): Promise<void> {
  const { status, closedAt, until, gate } = approval;
  const closed = (how: string, at: Date | null): ApiError =>
    new ApiError(409, 'closed', `the gate is closed: ${how}${at === null ? '' : ` at ${at.toISOString()}`}`);
  if (status !== 'open') throw closed(status, closedAt);
  // The pause of a run may move its deadlines; when it ends they are told anew.
  if (until !== null && until <= now && (await runs.get(approval.key, approval.number))?.['paused'] !== true)
    throw closed('expired', until);
  const refused = gateRefusal(gate, { actor: person.user, roles: person.roles, verdict, digest, to });
  if (refused !== null)
    throw new ApiError(statusOf[refused.code], refused.code, `${person.user}: ${refused.reason}`);
}

/** Writes the decision and waits for what becomes of it. `before` runs in the transaction of the audit row. */
export async function decide(
  { runs, inputs, waitMs }: DecideOptions,
  approval: Approval,
  { actor, person, via, decisionId }: Decider,
  { verdict, digest, to, comment }: Verdict,
  before?: (writer: ConfigWriter) => Promise<void>,
): Promise<Outcome> {
  const input: DecisionInput = {
    kind: 'decision',
    token: approval.token,
    decision_id: decisionId,
    actor: person.user,
    roles: [...person.roles],
    verdict,
    digest,
    via,
    ...(to === undefined ? {} : { to }),
    ...(comment === undefined || comment === '' ? {} : { comment }),
  };
  const { key, number, step, id } = approval;
  const { kind: _, token: __, roles: ___, ...told } = input;
  const detail = { run: key, number, step, ...told };
  await inputs.send(actor, { verb: verdict, object: `approval/${id}`, detail }, [{ key, input }], before);
  return outcomeOf(runs, decisionId, waitMs);
}

/** Asks the projection until it knows; one that cannot be asked knows nothing. */
async function outcomeOf(
  runs: Pick<Dependencies['runs'], 'decision'>,
  decisionId: string,
  waitMs: number,
): Promise<Outcome> {
  const until = performance.now() + waitMs;
  for (let pause = 20; ; pause = Math.min(200, pause * 2)) {
    const known = await runs.decision(decisionId).catch(() => null);
    if (known?.status === 'counted') return { status: 'counted' };
    if (known !== null) return { status: 'ignored', reason: known.reason ?? 'the gate does not take it' };
    if (performance.now() + pause > until) return { status: 'pending' };
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
