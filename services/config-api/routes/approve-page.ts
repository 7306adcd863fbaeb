// The page behind an approval link: what is decided, and two buttons. The link is the credential: these routes take no key.
//
// Invariant: only POST decides, and once; whatever opens the link to look at it (mail scanners, previews) changes nothing. The page has
// no script and nothing from elsewhere, and its address goes nowhere: no referrer, no cache, no log.
import {
  type Approval,
  type ApprovalLink,
  findApprovalLink,
  returnApprovalLink,
  takeApprovalLink,
} from '@tocsin/adapters/postgres/approval-store.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { checkDecision, type DecideOptions, decide, type Outcome } from '../decide.ts';
import type { Dependencies } from '../dependencies.ts';
import { ApiError, toApiError } from '../errors.ts';
import { readForms } from '../json-body.ts';
import { approvalPage, messagePage, pagePolicy } from '../pages.ts';

interface Form {
  readonly decision: 'approve' | 'reject';
  readonly digest: string;
  readonly comment?: string;
}

const form = {
  type: 'object',
  additionalProperties: false,
  required: ['decision', 'digest'],
  properties: {
    decision: { enum: ['approve', 'reject'] },
    digest: { type: 'string', minLength: 1, maxLength: 128 },
    comment: { type: 'string', maxLength: 4096 },
  },
} as const;

/** A comment of 4,096 characters, each up to 12 bytes as a form writes it. */
const maxFormBytes = 64 * 1024;

export function approvePageRoutes(
  app: FastifyInstance,
  { approvals, db, pepper, logger }: Pick<Dependencies, 'approvals' | 'db' | 'pepper' | 'logger'>,
  options: DecideOptions,
  requestsPerMinute: number,
): void {
  readForms(app, maxFormBytes);
  const limit = app.createRateLimit({ max: requestsPerMinute, timeWindow: 60_000 });
  const url = '/approve/:link';
  const config = { access: 'link', form: true } as const;
  const schema = { tags: ['approvals'], security: [] };
  const errorHandler = (error: unknown, _request: FastifyRequest, reply: FastifyReply): void => {
    const known = toApiError(error);
    if (known === null) logger.error('the page of an approval failed', { error: String(error) });
    const { status, message, headers } = known ?? new ApiError(500, 'internal', 'internal error');
    void send(reply.headers(headers), status, messagePage('Not possible', message));
  };
  const onRequest = async (request: FastifyRequest): Promise<void> => {
    const seen = await limit(request);
    if (!seen.isAllowed && seen.isExceeded)
      throw new ApiError(429, 'rate_limited', 'too many requests; wait a minute', {
        headers: { 'retry-after': String(Math.max(1, seen.ttlInSeconds)) },
      });
  };

  /** The link with its open gate. Throws what there is to say instead. */
  async function usable(text: string): Promise<{ link: ApprovalLink; approval: Approval }> {
    const found = await findApprovalLink(db, pepper, text);
    if (found === null) throw new ApiError(404, 'not_found', 'This link is not valid.');
    const { link, approval } = found;
    if (link.usedAt !== null)
      throw new ApiError(410, 'used', `This link was used at ${link.usedAt.toISOString()}. It decides once.`);
    if (approval.status !== 'open')
      throw new ApiError(410, 'closed', `This is decided already: ${approval.status}.`);
    if (link.expiresAt <= new Date())
      throw new ApiError(410, 'expired', `This link has expired at ${link.expiresAt.toISOString()}.`);
    return { link, approval };
  }

  app.get<{ Params: { link: string } }>(
    url,
    { config, onRequest, errorHandler, schema: { ...schema, summary: 'The page of an approval link' } },
    async (request, reply) => {
      const { link, approval } = await usable(request.params.link);
      return send(reply, 200, approvalPage(approval, link.user));
    },
  );

  app.post<{ Params: { link: string }; Body: Form }>(
    url,
    {
      config,
      onRequest,
      errorHandler,
      schema: {
        ...schema,
        summary: 'Decide once by an approval link',
        consumes: ['application/x-www-form-urlencoded'],
        body: form,
      },
    },
    async (request, reply) => {
      const { link, approval } = await usable(request.params.link);
      const { user, hash, decisionId } = link;
      const { decision, digest, comment } = request.body;
      const person = { user, roles: await approvals.rolesOf(user) };
      const verdict = { verdict: decision, digest, ...(comment === undefined ? {} : { comment }) };
      await checkDecision(options, approval, person, verdict, new Date());
      const actor = { id: `user:${user}`, scopes: [], ip: request.ip, via: 'link', person };
      let taken = false;
      let outcome: Outcome;
      try {
        outcome = await decide(
          options,
          approval,
          { actor, person, via: 'link', decisionId },
          verdict,
          async ({ transaction }) => {
            if (!(await takeApprovalLink(transaction, hash)))
              throw new ApiError(410, 'used', 'This link was used a moment ago. It decides once.');
            taken = true;
          },
        );
      } catch (error) {
        // The decision is not in the log, or nobody knows: it may be sent again, under the same id.
        if (taken) await returnApprovalLink(db, hash);
        throw error;
      }
      return send(reply, outcome.status === 'ignored' ? 409 : 200, outcomePage(outcome, decision));
    },
  );
}

function outcomePage(outcome: Outcome, decision: Form['decision']): string {
  const word = decision === 'approve' ? 'approval' : 'rejection';
  if (outcome.status === 'counted') return messagePage('Done', `Your ${word} counts.`);
  if (outcome.status === 'pending')
    return messagePage('Received', `Your ${word} was received and is being worked on.`);
  return messagePage('Not counted', `Your ${word} does not count: ${outcome.reason}.`);
}

function send(reply: FastifyReply, status: number, html: string): FastifyReply {
  return reply.code(status).headers(pagePolicy).type('text/html; charset=utf-8').send(html);
}
