// The aliases of a rule as conditions over paths.
//
// The surprise: `exclude: finding.info` names no event type that exists. It leaves out events of type finding.info and
// events of the family finding whose severity is informational, whichever word they use for it.
import { aliases } from './aliases.ts';
import type { Condition, FieldCondition } from './condition.ts';
import { fold } from './fold.ts';
import type { Part } from './operators/operator.ts';
import { parseTests, type Test } from './operators/operators.ts';
import { entriesOf } from './operators/values.ts';
import { type Path, parsePath, type RuleSource } from './path.ts';
import { severities, severityRank } from './severity.ts';

type AliasParser = (part: Part, source: RuleSource) => Condition | null;

/** The condition that an alias stands for; undefined when `name` is no alias, null after an issue was reported. */
export function parseAlias(name: string, part: Part, source: RuleSource): Condition | null | undefined {
  const parse = Object.hasOwn(parsers, name) ? parsers[name] : undefined;
  if (parse !== undefined) return parse(part, source);
  if (!Object.hasOwn(aliases, name)) return undefined;
  const paths = aliasPaths(name, source);
  if (paths === null) return part.refuse('has no meaning for rows of search results');
  const tests = parseTests(part.with((aliases[name] as (typeof aliases)[string]).comparison));
  return tests && { kind: 'field', paths, tests };
}

const parsers: Readonly<Record<string, AliasParser>> = {
  events: (part, source) => parseTypes(part, source, (type) => typeCondition(type)),
  exclude: (part, source) => {
    const excluded = parseTypes(part, source, (type) => subtypeCondition(type));
    return excluded && { kind: 'not', of: excluded };
  },
  min_severity: (part, source) => {
    if (!part.count()) return null;
    const rank = severityRank(part.value);
    if (rank === undefined) return part.refuse(`must be a severity: ${severities.join(', ')}`);
    return severityCondition(source, { op: 'range', of: 'severity', bounds: { gte: rank } });
  },
};

function parseTypes(
  part: Part,
  source: RuleSource,
  condition: (type: string) => Condition,
): Condition | null {
  if (source !== 'events') return part.refuse('has no meaning for rows of search results');
  const entries = part.count() ? entriesOf(part) : null;
  if (entries === null) return null;
  const conditions = entries.map((entry) => {
    if (typeof entry.value !== 'string' || entry.value === '')
      return entry.refuse('must be an event type such as finding.new');
    const name = entry.value.endsWith('.*') ? entry.value.slice(0, -2) : entry.value;
    if (name === '' || name.includes('*'))
      return entry.refuse('a wildcard stands for everything of one family: finding.*');
    return condition(entry.value);
  });
  if (conditions.includes(null)) return null;
  return { kind: 'any', of: conditions as Condition[] };
}

function eventCondition(test: Test): FieldCondition {
  return { kind: 'field', paths: [{ root: 'fields', segments: ['event'] }], tests: [test] };
}

function typeCondition(type: string): Condition {
  if (type.endsWith('.*')) return eventCondition({ op: 'prefix', texts: [fold(type.slice(0, -1))] });
  return eventCondition({ op: 'in', comparison: 'text', values: [fold(type)], orNull: false });
}

function subtypeCondition(type: string): Condition {
  const dot = type.lastIndexOf('.');
  const rank = severityRank(type.slice(dot + 1));
  if (dot < 1 || rank === undefined) return typeCondition(type);
  const family = typeCondition(`${type.slice(0, dot)}.*`);
  const severity = severityCondition('events', {
    op: 'in',
    comparison: 'severity',
    values: [rank],
    orNull: false,
  });
  return { kind: 'any', of: [typeCondition(type), { kind: 'all', of: [family, severity] }] };
}

function severityCondition(source: RuleSource, test: Test): FieldCondition {
  return { kind: 'field', paths: aliasPaths('severity', source) ?? [], tests: [test] };
}

/** The paths of an alias; null when it has no meaning for this source. */
export function aliasPaths(name: string, source: RuleSource): Path[] | null {
  return aliases[name]?.paths[source]?.map((text) => parsePath(text, source) as Path) ?? null;
}
