// What is wrong or suspicious in a rule, without any event: rules and parts that never or always hold, parts without
// effect, conditions that cost much, names that look like typing errors.
//
// Invariant (soundness): what `never-holds`, `always-holds` and `no-effect` claim is so for every event; other faults may be missed.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Rule } from '@tocsin/schemas/types.ts';
import { aliases } from '../aliases.ts';
import type { Condition, FieldCondition } from '../condition.ts';
import { type OperatorOutline, type Outline, operatorsOf, outlineRule } from '../explain/outline.ts';
import { parseRule, type RuleCheck } from '../parse-rule.ts';
import type { RuleSource } from '../path.ts';
import { isElementTest, repeatedValue } from './elements.ts';
import { nearestName } from './near-miss.ts';
import { type Budget, createBudget, follows, verdictOf } from './verdict.ts';
import { hasWitness } from './witness.ts';

export interface LintFinding {
  /** JSON Pointer into the rule document. */
  readonly path: string;
  readonly message: string;
  /** error: the rule is refused. warning: it is probably not what was meant. info: it costs more than it has to. */
  readonly severity: 'error' | 'warning' | 'info';
  readonly code:
    | 'invalid'
    | 'never-holds'
    | 'always-holds'
    | 'no-effect'
    | 'repeated-value'
    | 'near-miss'
    | 'every-event';
  /** For no-effect: the place of the condition that says the same or more. */
  readonly because?: string;
}

interface Asked {
  readonly source: RuleSource;
  readonly budget: Budget;
}

/** Findings in the order of the document. Never throws, whatever the document is. */
export function lintRule(document: unknown, check: RuleCheck = {}): LintFinding[] {
  const { rule, issues } = parseRule(document, check);
  if (rule === null) return issues.map(refusedFinding);
  if (rule.document.match_all === true) return [];
  const root = outlineRule(rule);
  const asked = { source: rule.document.source ?? 'events', budget: createBudget() };
  return [...verdicts(root, asked), ...fields(root, asked), ...cost(root.condition)];
}

function refusedFinding({ path, message }: Issue): LintFinding {
  const key = (path.split('/').at(-1) ?? '').replaceAll('~1', '/').replaceAll('~0', '~');
  const meant = /^unknown (field|operator)/.test(message) ? nearestName(key, knownNames) : undefined;
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
  return { path, message: `${message}${hint}`, severity: 'error', code: 'invalid' };
}

const aliasNames = [...Object.keys(aliases), 'events', 'exclude', 'min_severity'];
const knownNames = [
  ...aliasNames,
  ...['any', 'all', 'not', 'each', 'id', 'event', 'timestamp', 'tenant', 'hops'],
  ...[
    'in',
    'none',
    'cased',
    'prefix',
    'suffix',
    'contains',
    'contains_all',
    'wildcard',
    'regex',
    'flags',
    'cidr',
  ],
  ...['in_list', 'field', 'exists', 'gt', 'gte', 'lt', 'lte', 'after', 'before'],
  ...['minute', 'hour', 'day', 'weekday', 'week', 'month', 'year', 'time_zone'],
  ...([
    'when',
    'then',
    'match_all',
    'priority',
    'enabled',
    'shadow',
    'tests',
    'source',
    'run',
  ] satisfies (keyof Rule)[]),
];

/** Verdicts of the outermost places only: what lies within a part that never holds needs no finding of its own. */
function verdicts(outline: Outline, asked: Asked): LintFinding[] {
  const verdict = verdictOf(outline.condition, asked.source, asked.budget);
  if (verdict !== 'open') return [verdictFinding(outline, verdict)];
  return [...withoutEffect(outline, asked), ...outline.parts.flatMap((part) => verdicts(part, asked))];
}

function verdictFinding({ path }: Outline, verdict: 'never' | 'always'): LintFinding {
  const what = path === '/when' ? 'the rule' : 'this';
  return verdict === 'never'
    ? {
        path,
        message: `${what} can never ${path === '/when' ? 'match' : 'hold'}`,
        severity: 'warning',
        code: 'never-holds',
      }
    : {
        path,
        message: `${what} always ${path === '/when' ? 'matches' : 'holds'}`,
        severity: 'warning',
        code: 'always-holds',
      };
}

/** Parts are compared with each other up to this many, because that takes quadratic time. */
const maxCompared = 60;

function withoutEffect({ condition, parts: all, key }: Outline, asked: Asked): LintFinding[] {
  const parts = all.filter((part) => verdictOf(part.condition, asked.source, asked.budget) === 'open');
  if (parts.length < 2 || parts.length > maxCompared) return [];
  // What `exclude` lists are alternatives too.
  const alternatives = condition.kind === 'any' || key === 'exclude';
  const findings: LintFinding[] = [];
  const gone = new Set<Outline>();
  for (const part of parts) {
    const other = parts.find(
      (one) =>
        one !== part &&
        !gone.has(one) &&
        (alternatives
          ? follows(part.condition, one.condition, asked.source, asked.budget)
          : follows(one.condition, part.condition, asked.source, asked.budget)),
    );
    if (other === undefined) continue;
    gone.add(part);
    const message = alternatives ? 'is covered by another alternative' : 'is implied by another condition';
    findings.push({
      path: part.path,
      message: `${message}: ${other.path}`,
      severity: 'warning',
      code: 'no-effect',
      because: other.path,
    });
  }
  return findings;
}

/** Operators of single fields: those that follow from another one, and repeated values; names that look like aliases. */
function fields(outline: Outline, asked: Asked): LintFinding[] {
  const { condition, path, key, value, parts } = outline;
  if (condition.kind !== 'field') return parts.flatMap((part) => fields(part, asked));
  const operators = operatorsOf(path, value, condition.tests);
  return [
    ...operators.flatMap(repeatedIn),
    ...operatorsWithoutEffect(operators, condition, asked),
    ...looksLikeAlias(path, key, asked),
  ];
}

function repeatedIn({ path, value, tests: [test] }: OperatorOutline): LintFinding[] {
  if (test === undefined || !('values' in test) || !('comparison' in test) || !Array.isArray(value))
    return [];
  const again = repeatedValue(value, test.comparison);
  if (again === undefined) return [];
  const message = `${JSON.stringify(again)} is in the list already`;
  return [{ path, message, severity: 'warning', code: 'repeated-value' }];
}

/** An operator on elements that another one beside it implies; of two that say the same, the first one. */
function operatorsWithoutEffect(
  operators: readonly OperatorOutline[],
  condition: FieldCondition,
  asked: Asked,
): LintFinding[] {
  const findings: LintFinding[] = [];
  const onElement = operators.filter(({ tests }) => tests.every(isElementTest));
  for (const operator of onElement) {
    const field = { ...condition, tests: operator.tests };
    const other = onElement.find(
      (one) =>
        one.tests[0] !== operator.tests[0] &&
        !findings.some(({ path }) => path === one.path) &&
        follows({ ...condition, tests: one.tests }, field, asked.source, asked.budget),
    );
    if (other === undefined) continue;
    const message = `is implied by another operator: ${other.path}`;
    findings.push({
      path: operator.path,
      message,
      severity: 'warning',
      code: 'no-effect',
      because: other.path,
    });
  }
  return findings;
}

function looksLikeAlias(path: string, key: string, { source }: Asked): LintFinding[] {
  const name = source === 'events' ? (/^data\.([^.]+)$/.exec(key)?.[1] ?? '') : key;
  if (name === '' || name.includes('.') || aliasNames.includes(key)) return [];
  const exact = source === 'events' && notFields.includes(name) ? name : undefined;
  const meant = exact ?? (name.length < 6 ? undefined : nearestName(name, aliasNames));
  if (meant === undefined || ordinary.has(name)) return [];
  return [
    {
      path,
      message: `looks up a field of this name; the alias is ${meant}`,
      severity: 'warning',
      code: 'near-miss',
    },
  ];
}

/** Aliases that are no fields of the data, so that `data.min_severity` is a mistake. */
const notFields = ['events', 'exclude', 'min_severity'];
/** Fields that aliases look at. */
const ordinary = new Set(
  Object.values(aliases)
    .flatMap(({ paths }) => [...(paths.events ?? []), ...(paths['search-results'] ?? [])])
    .map((path) => path.replace(/^data\./, '')),
);

function cost(condition: Condition): LintFinding[] {
  if (hasWitness(condition)) return [];
  const message =
    'asks for nothing that has to be there, so that the rule is asked about every event; add a condition such as events';
  return [{ path: '/when', message, severity: 'info', code: 'every-event' }];
}
