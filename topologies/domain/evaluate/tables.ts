// What the evaluator knows besides the input: rules, actions, action types.
//
// Invariant: a rule that cannot be used is left out and reported; it never takes others down.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import type { ActionConfig } from '@tocsin/schemas/types.ts';
import type { ActionManifest } from '../action/define-action.ts';
import type { ConfigTable, Revision } from '../config/config-table.ts';
import { compileRules, type RuleSet } from '../rules/compile.ts';
import type { NamedList } from '../rules/context.ts';
import { buildNamedLists } from '../rules/named-list.ts';
import { checkRule, parseRule, type RuleRevision } from '../rules/parse-rule.ts';
import type { ModeOf } from './mode.ts';

export interface EvaluatorTables {
  /** Enabled rules only. */
  readonly ruleSet: RuleSet;
  /** Named lists by id, those that can be used. */
  readonly lists: ReadonlyMap<string, NamedList>;
  readonly actions: ReadonlyMap<string, Revision<ActionConfig>>;
  /** By action type. */
  readonly manifests: ReadonlyMap<string, ActionManifest>;
  readonly modeOf: ModeOf;
  /** Most commands that one input may cause per rule and action. */
  readonly maxCommandsPerTrigger: number;
  /** One line per document that is left out or that will be refused when it is needed. */
  readonly problems: readonly string[];
}

export interface TableOptions {
  /** `Action.modeOf` by type; without it parameters ask for no mode. */
  readonly modeOf?: ModeOf;
  readonly maxCommandsPerTrigger?: number;
}

export const defaultMaxCommandsPerTrigger = 100;

/** What the evaluator reads of a configuration; without lists there are none. */
export type EvaluatorConfig = Pick<ConfigTable, 'rules' | 'actions'> & Partial<Pick<ConfigTable, 'lists'>>;

/** The tables for a configuration. Rules are checked again here, because a folder of files is checked by nobody else. */
export function buildTables(
  config: EvaluatorConfig,
  manifests: ReadonlyMap<string, ActionManifest>,
  { modeOf = () => null, maxCommandsPerTrigger = defaultMaxCommandsPerTrigger }: TableOptions = {},
): EvaluatorTables {
  const problems: string[] = [];
  const report = (key: string, revision: number, issues: readonly Issue[]): void => {
    if (issues.length > 0) problems.push(`${key} revision ${revision}: ${formatIssues(issues)}`);
  };
  for (const [id, { document, revision }] of config.actions) {
    if (!manifests.has(document.type))
      report(`action/${id}`, revision, [{ path: '/type', message: 'unknown action type' }]);
  }
  const listDocuments = new Map([...(config.lists ?? [])].map(([id, { document }]) => [id, document]));
  const named = buildNamedLists(listDocuments);
  for (const [id, issues] of named.problems)
    report(`list/${id}`, config.lists?.get(id)?.revision ?? 0, issues);
  const rules: RuleRevision[] = [];
  for (const [id, { document, revision }] of config.rules) {
    const { rule, issues } = parseRule(document);
    const known = { actions: config.actions, lists: named.lists };
    report(`rule/${id}`, revision, rule === null ? issues : checkRule(document, known));
    if (rule !== null && document.enabled !== false) rules.push({ ...rule, revision });
  }
  return {
    ruleSet: compileRules(rules),
    lists: named.lists,
    actions: config.actions,
    manifests,
    modeOf,
    maxCommandsPerTrigger,
    problems,
  };
}
