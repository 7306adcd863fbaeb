// Why a rule matches an event or a row, or why not: for a rule that is stored, or for one that is being written.
//
// Invariant: nothing is stored and nothing follows; the event is only looked at.
import { checkDocument, type Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Rule } from '@tocsin/schemas/types.ts';
import { type Explanation, explainRule } from '@tocsin/topologies/domain/rules/explain/explain.ts';
import { decisiveReasons } from '@tocsin/topologies/domain/rules/explain/explain-text.ts';
import { parseInstant } from '@tocsin/topologies/domain/rules/instant.ts';
import { listsOf } from '@tocsin/topologies/domain/rules/lists-of.ts';
import { buildNamedLists } from '@tocsin/topologies/domain/rules/named-list.ts';
import { parseRule } from '@tocsin/topologies/domain/rules/parse-rule.ts';
import type { Subject } from '@tocsin/topologies/domain/rules/path.ts';
import type { FastifyInstance } from 'fastify';
import { readLists } from '../check-document.ts';
import type { Dependencies } from '../dependencies.ts';
import { notFound, unprocessable } from '../errors.ts';
import { checkedId } from './documents.ts';

type Fields = Readonly<Record<string, unknown>>;

interface Body {
  readonly id?: string;
  readonly rule?: Fields;
  readonly event?: Fields;
  readonly row?: Fields;
  readonly search?: Fields;
  readonly now?: string;
}

const object = (description: string) => ({ type: 'object', description });

const bodySchema = {
  type: 'object',
  additionalProperties: false,
  description: 'One of id and rule, and one of event and row.',
  properties: {
    id: { type: 'string', description: 'A stored rule.' },
    rule: object('A rule document, as it would be saved.'),
    event: object('A whole event, for a rule over events.'),
    row: object('One row, for a rule over search results.'),
    search: object('The search result around the row, without its rows.'),
    now: { type: 'string', maxLength: 64, description: 'What now means, RFC 3339; without it the present.' },
  },
};

const explanationSchema = {
  type: 'object',
  properties: {
    matches: { type: 'boolean' },
    revision: { type: 'integer', description: 'Of the stored rule.' },
    reasons: { type: 'array', items: { type: 'string' }, description: 'The conditions that decide.' },
    explanation: object(
      'A tree of {path, kind, what, holds, wanted, found, note, parts}; path is a JSON Pointer into the rule.',
    ),
  },
};

export function ruleExplainRoutes(app: FastifyInstance, { store }: Pick<Dependencies, 'store'>): void {
  app.post<{ Body: Body }>(
    '/api/rules/explain',
    {
      config: { access: 'read:rules' },
      schema: {
        summary: 'Explain why a rule matches an event or a row, or why not',
        tags: ['rules'],
        body: bodySchema,
        response: { 200: { ...explanationSchema, description: 'Explained' } },
      },
    },
    async ({ body }) => {
      const { document, revision } = await chosenRule(body);
      const { rule, issues } = parseRule(document);
      if (rule === null)
        throw unprocessable(issues.map((issue) => ({ ...issue, path: `/rule${issue.path}` })));
      const subject = subjectOf(rule.document, body);
      const now = body.now === undefined ? Date.now() : parseInstant(body.now);
      if (now === undefined)
        throw unprocessable([{ path: '/now', message: 'must be a date such as 2026-04-28T12:00:00Z' }]);
      const documents = await readLists(listsOf(rule.condition), store);
      const explanation: Explanation = explainRule(rule, subject, {
        now,
        lists: buildNamedLists(documents).lists,
      });
      return {
        matches: explanation.holds,
        ...(revision === undefined ? {} : { revision }),
        reasons: decisiveReasons(explanation),
        explanation,
      };
    },
  );

  async function chosenRule({ id, rule }: Body): Promise<{ document: unknown; revision?: number }> {
    if ((id === undefined) === (rule === undefined))
      throw unprocessable([{ path: '', message: 'give one of id and rule' }]);
    // As on save, kind and id may be left out of a document.
    if (id === undefined) return { document: { id: 'explained', ...rule, kind: 'rule' } };
    const stored = await store.get('rule', checkedId(id));
    if (stored === null) throw notFound();
    return stored;
  }
}

function subjectOf(rule: Rule, { event, row, search = {} }: Body): Subject {
  const source = rule.source ?? 'events';
  const given = source === 'events' ? event : row;
  if (given === undefined || (event !== undefined && row !== undefined))
    throw unprocessable([
      { path: '', message: `the rule looks at ${source}: give ${source === 'events' ? 'event' : 'row'}` },
    ]);
  if (source !== 'events') return { source, fields: given, search };
  const issues: Issue[] = checkDocument('envelope.json', given);
  if (issues.length > 0)
    throw unprocessable(issues.map((issue) => ({ ...issue, path: `/event${issue.path}` })));
  return { source, fields: given, search: null };
}
