// Approval gates that are open, and decisions of people with a key.
import { createHash, randomBytes } from 'node:crypto';
import { type Approval, createApprovalLink, type Person } from '@tocsin/adapters/postgres/approval-store.ts';
import { gateRefusal } from '@tocsin/topologies/domain/playbooks/gate.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { checkDecision, type DecideOptions, decide, type Verdict } from '../decide.ts';
import type { Dependencies } from '../dependencies.ts';
import { ApiError, badRequest, notFound, unprocessable } from '../errors.ts';
import { idempotencyHeader, idempotencyOf } from '../idempotency.ts';
import { limitOf, pageOf, pageQuery } from '../paging.ts';
import { userName } from './keys.ts';

const url = '/api/approvals';
const day = 24 * 3_600_000;

interface DecisionBody {
  readonly decision: Verdict['verdict'];
  readonly digest: string;
  readonly to?: string;
  readonly comment?: string;
}

const decisionBody = {
  type: 'object',
  additionalProperties: false,
  required: ['decision', 'digest'],
  properties: {
    decision: { enum: ['approve', 'reject', 'delegate'] },
    digest: { type: 'string', minLength: 1, maxLength: 128, description: 'The digest that was shown.' },
    to: { ...userName, description: 'Who decides instead; with delegate.' },
    comment: { type: 'string', maxLength: 4096 },
  },
} as const;

export function approvalRoutes(
  app: FastifyInstance,
  dependencies: Pick<Dependencies, 'approvals' | 'store' | 'pepper' | 'paging' | 'publicUrl'>,
  options: DecideOptions,
): void {
  const { approvals, store, pepper, paging, publicUrl } = dependencies;

  async function known(id: string): Promise<Approval> {
    const found = /^[0-9a-f]{32}$/.test(id) ? await approvals.get(id) : null;
    if (found === null) throw notFound();
    return found;
  }

  app.get<{ Querystring: { cursor?: string; limit?: string; mine?: 'true' | 'false'; run?: string } }>(
    url,
    {
      config: { access: 'read:approvals' },
      schema: {
        summary: 'Open approval gates, oldest first',
        tags: ['approvals'],
        querystring: {
          type: 'object',
          additionalProperties: false,
          properties: {
            ...pageQuery,
            mine: {
              enum: ['true', 'false'],
              description: 'Only those at which the user of the key may decide.',
            },
            run: { type: 'string', minLength: 1, maxLength: 256, description: 'Key of a run.' },
          },
        },
      },
    },
    async (request) => {
      const { mine, run, cursor } = request.query;
      const person = mine === 'true' ? personOf(request) : undefined;
      const list = `approvals/${mine ?? ''}/${run ?? ''}`;
      const limit = limitOf(request.query);
      const [openedAt, id] = paging.decode(list, cursor) ?? [];
      const found = await approvals.open({
        limit: limit + 1,
        ...(person === undefined ? {} : { for: person }),
        ...(run === undefined ? {} : { run }),
        ...(openedAt === undefined || id === undefined
          ? {}
          : { after: { openedAt: new Date(openedAt), id } }),
      });
      const page = pageOf(found, limit, (last) =>
        paging.encode(list, [last.openedAt.toISOString(), last.id]),
      );
      return { ...page, items: page.items.map((one) => shown(one, request.actor.person)) };
    },
  );

  app.get<{ Params: { id: string } }>(
    `${url}/:id`,
    {
      config: { access: 'read:approvals' },
      schema: { summary: 'One approval gate: what is decided, by whom, until when', tags: ['approvals'] },
    },
    async (request) => shown(await known(request.params.id), request.actor.person),
  );

  app.post<{ Params: { id: string }; Body: DecisionBody }>(
    `${url}/:id`,
    {
      config: { access: 'write:approvals' },
      schema: {
        summary: 'Decide at an approval gate, as the user of the key',
        tags: ['approvals'],
        headers: idempotencyHeader,
        body: decisionBody,
      },
    },
    async (request, reply) => {
      const { actor } = request;
      const { decision, ...rest } = request.body;
      if ((decision === 'delegate') !== (rest.to !== undefined))
        throw badRequest([{ path: '/to', message: 'goes with delegate, and only with it' }]);
      const person = personOf(request);
      const approval = await known(request.params.id);
      const verdict = { verdict: decision, ...rest };
      const repeated = idempotencyOf(request, pepper);
      const decisionId = decisionIdOf(actor.id, repeated);
      // Whoever asks again is told what became of it, not that it has been decided.
      if (repeated !== null && (await options.runs.decision(decisionId))?.status === 'counted')
        return { decision_id: decisionId, outcome: 'counted', approval: shown(approval, person) };
      await checkDecision(options, approval, person, verdict, new Date());
      const outcome = await decide(options, approval, { actor, person, via: 'api', decisionId }, verdict);
      if (outcome.status === 'ignored')
        throw new ApiError(409, 'ignored', `the decision does not count: ${outcome.reason}`);
      if (outcome.status === 'pending')
        return reply.code(202).send({ decision_id: decisionId, outcome: 'pending' });
      const after = await known(approval.id);
      return { decision_id: decisionId, outcome: 'counted', approval: shown(after, person) };
    },
  );

  app.post<{ Params: { id: string }; Body: { user: string } }>(
    `${url}/:id/links`,
    {
      config: { access: 'write:approval-links' },
      schema: {
        summary: 'Make a link by which one person decides once; its text is shown only here',
        tags: ['approvals'],
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['user'],
          properties: { user: userName },
        },
      },
    },
    async (request, reply) => {
      // A replayed answer would need the text of the link to be stored.
      if (request.headers['idempotency-key'] !== undefined)
        throw badRequest([{ path: '', message: 'Idempotency-Key is not possible here' }]);
      const { user } = request.body;
      const approval = await known(request.params.id);
      if (approval.status !== 'open')
        throw new ApiError(409, 'closed', `the gate is closed: ${approval.status}`);
      const refused = gateRefusal(approval.gate, {
        actor: user,
        roles: await approvals.rolesOf(user),
        verdict: 'approve',
      });
      if (refused !== null) throw unprocessable([{ path: '/user', message: refused.reason }], refused.code);
      const expiresAt = approval.until ?? new Date(Date.now() + day);
      const text = await store.write(request.actor, async (writer) => {
        await writer.audit({ verb: 'link', object: `approval/${approval.id}`, detail: { user } });
        const createdBy = request.actor.id;
        return createApprovalLink(writer.transaction, pepper, { approval, user, expiresAt, createdBy });
      });
      const path = `/approve/${text}`;
      return reply.code(201).send({
        user,
        expires_at: expiresAt.toISOString(),
        path,
        url: publicUrl === null ? null : `${publicUrl}${path}`,
      });
    },
  );
}

/** Throws 403: a key that names nobody decides nothing. */
function personOf(request: FastifyRequest): Person {
  const { person } = request.actor;
  if (person === undefined)
    throw new ApiError(403, 'no_user', 'this key names no user; an administrator makes keys for people');
  return person;
}

/** The same key and request are one decision, however often it is sent. */
function decisionIdOf(actor: string, given: { readonly key: string; readonly hash: Buffer } | null): string {
  if (given === null) return `api-${randomBytes(16).toString('hex')}`;
  const hash = createHash('sha256').update(`${actor}\n${given.key}\n`).update(given.hash);
  return `api-${hash.digest('hex').slice(0, 32)}`;
}

function shown(approval: Approval, person: Person | undefined): Record<string, unknown> {
  const { gate, openedAt, until, closedAt, dryRun, key, token: _, ...rest } = approval;
  const { approvers, excluded, delegateTo, delegates, votes, digest } = gate;
  const refused =
    person === undefined || approval.status !== 'open'
      ? undefined
      : gateRefusal(gate, { actor: person.user, roles: person.roles, verdict: 'approve' });
  return {
    ...rest,
    run: key,
    dry_run: dryRun,
    digest,
    approvers,
    excluded,
    delegate_to: delegateTo,
    delegates,
    votes,
    opened_at: openedAt.toISOString(),
    until: until?.toISOString() ?? null,
    closed_at: closedAt?.toISOString() ?? null,
    ...(refused === undefined ? {} : { may_decide: refused === null }),
    ...(refused === undefined || refused === null ? {} : { why_not: refused.reason }),
  };
}
