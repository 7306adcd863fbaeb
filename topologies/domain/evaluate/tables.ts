// What the evaluator knows besides the input: rules, lists, actions, action types, playbooks and what their runs wait for. Follows
// the configuration.
//
// Invariant: a rule that cannot be used is left out and reported; it never takes others down. A changed document costs the
// work for that document, however many others there are.
// The surprise: a rule that names a missing action, playbook or list stays, because its other actions and conditions work.

import type { Wanted } from '@tocsin/schemas/codecs/avro-project.ts';
import { createScanner, hashText } from '@tocsin/schemas/codecs/scan/scanner.ts';
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import type { ActionConfig, Playbook, PlaybookVersion } from '@tocsin/schemas/types.ts';
import type { ActionManifest } from '../action/define-action.ts';
import { privilegedTypes } from '../action/grants.ts';
import { type ConfigChange, type ConfigTable, configKey, type Revision } from '../config/config-table.ts';
import { compileCondition } from '../rules/compile.ts';
import type { NamedList } from '../rules/context.ts';
import { createMatcher, type Matcher } from '../rules/matcher/matcher.ts';
import { buildNamedLists } from '../rules/named-list.ts';
import { parseRule, type RuleRevision, unknownNames } from '../rules/parse-rule.ts';
import { runPart } from '../rules/run-part.ts';
import { triggerId } from './entries.ts';
import type { ModeOf } from './mode.ts';
import { createPlaybookHeads, type PlaybookHead, type VersionOrigin } from './playbook-heads.ts';
import { watchedPaths } from './screen.ts';
import { createWantedParts } from './wanted-parts.ts';
import { createWatchedEntries } from './watched-entries.ts';

export interface EvaluatorTables {
  /** Enabled rules, triggers and waits (see entries.ts); watches `watchedPaths`. */
  readonly ruleSet: Matcher;
  /** The rules, triggers and waits in force over events, by id. */
  readonly eventRules: ReadonlyMap<string, RuleRevision>;
  /** The rules in force over rows, by id; those on trial too. */
  readonly rowRules: ReadonlyMap<string, RowRule>;
  /** What deciding about an event reads of it. */
  readonly wanted: Wanted;
  /** Named lists by id, those that can be used. */
  readonly lists: ReadonlyMap<string, NamedList>;
  readonly actions: ReadonlyMap<string, Revision<ActionConfig>>;
  /** Playbooks that can be used, those that are switched off included. */
  readonly playbooks: ReadonlyMap<string, PlaybookHead>;
  /** Paths where runs look in events that they may wait for, by event type. */
  readonly waits: ReadonlyMap<string, ReadonlySet<string>>;
  /** By action type. */
  readonly manifests: ReadonlyMap<string, ActionManifest>;
  readonly modeOf: ModeOf;
  /** Most commands that one input may cause per rule and action. */
  readonly maxCommandsPerTrigger: number;
  /** One line per document that is left out or that will be refused when it is needed. */
  readonly problems: readonly string[];
}

/** `mayFollow`: whether the rule can hold for any row of a run, as far as the identity of the run says. */
export interface RowRule {
  readonly rule: RuleRevision;
  readonly mayFollow: ReturnType<typeof compileCondition>;
}

export interface TableOptions {
  /** `Action.modeOf` by type; without it parameters ask for no mode. */
  readonly modeOf?: ModeOf;
  readonly maxCommandsPerTrigger?: number;
  /** Where versions of playbooks come from; default published. */
  readonly versions?: VersionOrigin;
  /** Of the hashes of values: unknown to those who write events; any 32-bit integer. */
  readonly seed?: number;
}

export const defaultMaxCommandsPerTrigger = 100;

/** What the evaluator reads of a configuration; without lists or playbooks there are none. */
export type EvaluatorConfig = Pick<ConfigTable, 'rules' | 'actions'> &
  Partial<Pick<ConfigTable, 'lists' | 'playbooks'>>;

export interface LiveTables {
  /** Shows every change that was applied. */
  readonly tables: EvaluatorTables;
  /** Follows changes that `config` shows already. Returns the problems of what changed. */
  apply(changes: readonly Pick<ConfigChange, 'kind' | 'id'>[]): readonly string[];
  /** Versions whose runs may wait for events. What was learnt is not forgotten. */
  learn(versions: readonly PlaybookVersion[]): void;
}

/** The tables for a configuration. Rules are checked again here, because a folder of files is checked by nobody else. */
export function buildTables(
  config: EvaluatorConfig,
  manifests: ReadonlyMap<string, ActionManifest>,
  options: TableOptions = {},
): EvaluatorTables {
  return followConfig(config, manifests, options).tables;
}

/** The tables for a configuration that changes; `config` is live, `apply` says what to look at again. */
export function followConfig(
  config: EvaluatorConfig,
  manifests: ReadonlyMap<string, ActionManifest>,
  {
    modeOf = () => null,
    maxCommandsPerTrigger = defaultMaxCommandsPerTrigger,
    versions = 'published',
    seed = 0,
  }: TableOptions = {},
): LiveTables {
  const rules = createMatcher({ createScanner, hashText, seed, watch: watchedPaths });
  const parts = createWantedParts(watchedPaths);
  const usable = new Map<string, RuleRevision>();
  const eventRules = new Map<string, RuleRevision>();
  const rowRules = new Map<string, RowRule>();
  const problems = new Map<string, string>();
  const playbooks = config.playbooks ?? new Map<string, Revision<Playbook>>();
  const heads = createPlaybookHeads(playbooks, config.actions, versions, privilegedTypes(manifests.values()));
  const entries = createWatchedEntries(rules, parts, eventRules);
  let lists: ReadonlyMap<string, NamedList> = new Map();

  function report(key: string, revision: number, issues: readonly Issue[]): void {
    if (issues.length === 0) problems.delete(key);
    else problems.set(key, `${key} revision ${revision}: ${formatIssues(issues)}`);
  }

  const known = () => ({ actions: config.actions, playbooks, lists });

  function followPlaybooks(changed: readonly string[], actionsChanged: boolean): readonly string[] {
    const triggers = heads.apply(changed, actionsChanged);
    for (const [id, entry] of triggers) {
      entries.remove(triggerId(id));
      if (entry !== null) entries.put(entry);
      const head = heads.heads.get(id);
      // Its version is published as well; this way no event falls between the two.
      if (head !== undefined) entries.learn(head.document);
    }
    return [...triggers.keys()];
  }

  function followRule(id: string): void {
    const key = configKey('rule', id);
    const before = usable.get(id);
    if (before !== undefined && readsEvents(before)) parts.remove(before.condition);
    eventRules.delete(id);
    rowRules.delete(id);
    const held = config.rules.get(id);
    const { rule, issues } = held === undefined ? { rule: null, issues: [] } : parseRule(held.document);
    if (held === undefined || rule === null) {
      usable.delete(id);
      rules.remove(id);
      report(key, held?.revision ?? 0, issues);
      return;
    }
    const { grants } = held;
    const revision = { ...rule, revision: held.revision, ...(grants === undefined ? {} : { grants }) };
    usable.set(id, revision);
    if (readsEvents(revision)) parts.add(revision.condition);
    report(key, held.revision, unknownNames(revision, known()));
    if (held.document.enabled === false) {
      rules.remove(id);
      return;
    }
    rules.put(revision);
    if (readsEvents(revision)) eventRules.set(id, revision);
    else rowRules.set(id, { rule: revision, mayFollow: compileCondition(runPart(revision.condition)) });
  }

  function followAction(id: string): void {
    const held = config.actions.get(id);
    const known = held === undefined || manifests.has(held.document.type);
    const issues = known ? [] : [{ path: '/type', message: 'unknown action type' }];
    report(configKey('action', id), held?.revision ?? 0, issues);
  }

  function followLists(changed: readonly string[]): void {
    const documents = new Map([...(config.lists ?? [])].map(([id, { document }]) => [id, document]));
    const named = buildNamedLists(documents);
    lists = named.lists;
    for (const id of new Set([...changed, ...documents.keys()]))
      report(configKey('list', id), config.lists?.get(id)?.revision ?? 0, named.problems.get(id) ?? []);
  }

  function apply(changes: readonly Pick<ConfigChange, 'kind' | 'id'>[]): readonly string[] {
    const ids = (kind: string): string[] =>
      changes.flatMap((change) => (change.kind === kind ? change.id : []));
    const touched = new Set(changes.map(({ kind, id }) => configKey(kind, id)));
    const changedLists = ids('list');
    if (changedLists.length > 0) followLists(changedLists);
    const changedActions = ids('action');
    for (const id of changedActions) followAction(id);
    const given = ids('playbook');
    const changedPlaybooks = followPlaybooks(given, changedActions.length > 0);
    for (const id of changedLists.length > 0 ? playbooks.keys() : new Set([...given, ...changedPlaybooks])) {
      const key = configKey('playbook', id);
      const problem = heads.problem(id, lists);
      if (problem === '') problems.delete(key);
      else {
        if (problems.get(key) !== problem) touched.add(key);
        problems.set(key, problem);
      }
    }
    for (const id of ids('rule')) followRule(id);
    if (changedActions.length + changedLists.length + given.length > 0)
      for (const [id, rule] of usable) {
        const issues = unknownNames(rule, known());
        const key = configKey('rule', id);
        if (issues.length > 0 && !problems.has(key)) touched.add(key);
        report(key, rule.revision, issues);
      }
    return [...touched].flatMap((key) => problems.get(key) ?? []);
  }

  const everything = (
    kind: 'rule' | 'action' | 'list' | 'playbook',
    of: ReadonlyMap<string, unknown> | undefined,
  ) => [...(of?.keys() ?? [])].map((id) => ({ kind, id }));
  apply([
    ...everything('list', config.lists),
    ...everything('action', config.actions),
    ...everything('playbook', config.playbooks),
    ...everything('rule', config.rules),
  ]);

  const tables: EvaluatorTables = {
    ruleSet: rules,
    eventRules,
    rowRules,
    get wanted() {
      return parts.wanted();
    },
    get lists() {
      return lists;
    },
    actions: config.actions,
    playbooks: heads.heads,
    waits: entries.waits,
    manifests,
    modeOf,
    maxCommandsPerTrigger,
    get problems() {
      return [...problems.values()];
    },
  };
  return {
    tables,
    apply,
    learn(learnt) {
      for (const { document } of learnt) entries.learn(document);
    },
  };
}

function readsEvents({ document }: RuleRevision): boolean {
  return document.source !== 'search-results';
}
