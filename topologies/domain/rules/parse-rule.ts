// A rule document, checked as a whole: schema, size, conditions, the list of actions.
//
// Invariant: every error is an issue that names the field; a document without issues compiles and evaluates without
// throwing on any event.
import { checkDocument, type Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Rule, ThenAction } from '@tocsin/schemas/types.ts';
import { checkValue } from '../playbooks/values.ts';
import type { Condition } from './condition.ts';
import { limits } from './limits.ts';
import { listsOf } from './lists-of.ts';
import type { KnownLists } from './operators/operator.ts';
import { parseWhen } from './parse-condition.ts';

/** One revision of a rule, checked. */
export interface RuleRevision {
  readonly document: Rule;
  readonly revision: number;
  readonly condition: Condition;
  /** Held by whoever saved it, as far as privileged action types need it. */
  readonly grants?: readonly string[];
}

export interface RuleCheck {
  /** Ids of the actions that exist; names are not checked without it. */
  readonly actions?: { has(id: string): boolean };
  /** Ids of the playbooks that exist; likewise. */
  readonly playbooks?: { has(id: string): boolean };
  /** Named lists that exist; names are not checked without it. */
  readonly lists?: KnownLists;
}

export type ParsedRule =
  | { readonly issues: []; readonly rule: Omit<RuleRevision, 'revision' | 'grants'> }
  | { readonly issues: [Issue, ...Issue[]]; readonly rule: null };

/** Every reason why a rule cannot be used, as JSON Pointers into the document; an empty list means it can. */
export function checkRule(document: unknown, check: RuleCheck = {}): Issue[] {
  return parseRule(document, check).issues;
}

/** The rule with its condition checked, or every reason why it cannot be used. */
export function parseRule(document: unknown, check: RuleCheck = {}): ParsedRule {
  const shape = sizeIssues(document);
  if (shape.length === 0) shape.push(...checkDocument('rule.json', document));
  if (shape.length > 0) return refused(shape);
  const rule = document as Rule;
  const issues = thenIssues(rule);
  issues.push(...unknownUses(rule, check));
  const { condition, issues: conditionIssues } = parseCondition(rule, check.lists);
  issues.push(...conditionIssues);
  if (issues.length > 0 || condition === null) return refused(issues);
  return { issues: [], rule: { document: rule, condition } };
}

/** What a checked rule names and what does not exist or, of lists, does not fit; with the places that name it. */
export function unknownNames(
  { document, condition }: Omit<RuleRevision, 'revision'>,
  check: Required<RuleCheck>,
): Issue[] {
  // Whether a list fits its place is known to the parser alone.
  if (listsOf(condition).length > 0) return checkRule(document, check);
  return unknownUses(document, check);
}

/** The name of each use of an action in `then`: its key, or the action id, then id#2, id#3. Part of the command id. */
export function actionKeys(then: Rule['then']): string[] {
  const uses = new Map<string, number>();
  return then.map((entry) => {
    if (!isActionEntry(entry)) return '';
    if (entry.key !== undefined) return entry.key;
    const use = (uses.get(entry.action) ?? 0) + 1;
    uses.set(entry.action, use);
    return use === 1 ? entry.action : `${entry.action}#${use}`;
  });
}

export function isActionEntry(entry: Rule['then'][number]): entry is ThenAction {
  return 'action' in entry;
}

function refused(issues: readonly Issue[]): ParsedRule {
  return { issues: issues as [Issue, ...Issue[]], rule: null };
}

function parseCondition(rule: Rule, lists: KnownLists | undefined): ReturnType<typeof parseWhen> {
  const empty = rule.when === undefined || Object.keys(rule.when).length === 0;
  if (!empty && rule.match_all === true)
    return {
      condition: null,
      issues: [{ path: '/match_all', message: 'a rule with conditions cannot match all' }],
    };
  if (!empty) return parseWhen(rule.when as Record<string, unknown>, rule.source ?? 'events', lists);
  if (rule.match_all === true) return { condition: { kind: 'all', of: [] }, issues: [] };
  return {
    condition: null,
    issues: [{ path: '/when', message: 'is empty; match_all: true makes a rule match everything' }],
  };
}

function thenIssues(rule: Rule): Issue[] {
  const issues: Issue[] = [];
  const keys = actionKeys(rule.then);
  for (const [index, entry] of rule.then.entries()) {
    if (isActionEntry(entry) && keys.indexOf(keys[index] as string) < index)
      issues.push({ path: `/then/${index}/key`, message: `${keys[index]} is the key of another entry` });
    if (isActionEntry(entry)) continue;
    issues.push(...paramIssues(entry.with ?? {}, `/then/${index}/with`));
    const other = rule.then.findIndex((one) => !isActionEntry(one) && one.playbook === entry.playbook);
    if (other < index)
      issues.push({
        path: `/then/${index}/playbook`,
        message: `${entry.playbook} is started by another entry; a playbook runs once for an event`,
      });
  }
  return issues;
}

// A run that is about to start has neither steps nor variables.
function paramIssues(params: object, path: string): Issue[] {
  const { names, issues } = checkValue(params, path);
  const later = names.find((name) => /^(steps|run|params|vars)\./.test(name));
  if (later === undefined) return [...issues];
  return [...issues, { path, message: `${later} is not known when a run starts: event and finding are` }];
}

function unknownUses(rule: Rule, { actions, playbooks }: RuleCheck): Issue[] {
  return rule.then.flatMap((entry, index): Issue[] => {
    const [what, id, known] = isActionEntry(entry)
      ? (['action', entry.action, actions] as const)
      : (['playbook', entry.playbook, playbooks] as const);
    if (known === undefined || known.has(id)) return [];
    return [{ path: `/then/${index}/${what}`, message: `the ${what} ${id} does not exist` }];
  });
}

function sizeIssues(document: unknown): Issue[] {
  if (isTooLarge(document))
    return [
      {
        path: '',
        message: `a rule has at most ${limits.documentDepth} levels and ${limits.ruleBytes} bytes`,
      },
    ];
  const bytes = Buffer.byteLength(JSON.stringify(document) ?? '');
  return bytes > limits.ruleBytes
    ? [{ path: '', message: `a rule has at most ${limits.ruleBytes} bytes` }]
    : [];
}

// Level by level and counted, so that neither depth nor parts that YAML anchors repeat can exhaust stack or memory.
function isTooLarge(document: unknown): boolean {
  let level: unknown[] = [document];
  let seen = 0;
  for (let depth = 0; level.length > 0; depth++) {
    seen += level.length;
    if (depth > limits.documentDepth || seen > limits.ruleBytes) return true;
    level = level.flatMap((value) =>
      typeof value === 'object' && value !== null ? Object.values(value) : [],
    );
  }
  return false;
}
