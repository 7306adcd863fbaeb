// Rules of the SOC mix, in two languages: as event-ruler patterns and as rules of Tocsin, with the same meaning.
//
// Invariant: both are printed from the same list of predicates, and only in forms on which the two languages agree: at most
// one predicate per field, `anything-but` only on a field that every event has once, no two fields of one list of objects.
// Surprise: the templates' weights make about 1.07 of 1,000 rules match an event; soc-rules.test.ts measures it.
import { type SeededRandom, seededRandom } from './random.ts';
import {
  address,
  cves,
  eventTypes,
  groups,
  ports,
  scanTypes,
  severities,
  tags,
  titles,
  workflows,
  zones,
} from './soc-world.ts';

export type Predicate =
  | {
      readonly op: 'in' | 'prefix' | 'suffix' | 'cidr' | 'not';
      readonly path: string;
      readonly values: readonly string[];
    }
  | { readonly op: 'severity'; readonly path: 'data.severity'; readonly least: string }
  | { readonly op: 'range'; readonly path: string; readonly gte: number; readonly lte: number }
  | { readonly op: 'number'; readonly path: string; readonly values: readonly number[] };

export interface SocRule {
  readonly id: string;
  readonly predicates: readonly Predicate[];
}

const is = (path: string, values: readonly string[]): Predicate => ({ op: 'in', path, values });
const words = severities.map(([word]) => word);

const event = (random: SeededRandom): Predicate =>
  is('event', [...new Set(['finding.new', 'finding.updated', random.weighted(eventTypes)])]);

const least = [
  ['low', 50],
  ['medium', 35],
  ['high', 15],
] as const;

const severity = (random: SeededRandom): Predicate =>
  random.chance(0.9)
    ? { op: 'severity', path: 'data.severity', least: random.weighted(least) }
    : is('data.severity', [random.pick(words)]);

const score = (random: SeededRandom): Predicate => {
  const gte = random.pick([4, 7, 9]);
  return { op: 'range', path: 'data.cvss', gte, lte: gte === 4 ? 6.9 : gte === 7 ? 8.9 : 10 };
};

const notScan = (random: SeededRandom): Predicate => ({
  op: 'not',
  path: 'data.scan_type',
  values: [random.pick(scanTypes)],
});

function network(random: SeededRandom): Predicate {
  const bits = random.pick([18, 20, 22, 24]);
  return { op: 'cidr', path: 'data.asset.ip', values: [`${networkOf(address(random), bits)}/${bits}`] };
}

function networkOf(text: string, bits: number): string {
  const whole = text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const start = whole - (whole % 2 ** (32 - bits));
  return [24, 16, 8, 0].map((shift) => Math.floor(start / 2 ** shift) % 256).join('.');
}

const tag = (random: SeededRandom): Predicate => is('data.asset.tags', [random.pick(tags)]);
const group = (random: SeededRandom): Predicate => is('data.asset.groups', [random.pick(groups)]);
const cve = (random: SeededRandom): Predicate => is('data.cve', random.some(cves, random.between(1, 8)));
const port = (random: SeededRandom): Predicate => ({
  op: 'number',
  path: 'data.port',
  values: [random.pick(ports)],
});
const title = (random: SeededRandom): Predicate => {
  const text = random.pick(titles);
  return { op: 'prefix', path: 'data.title', values: [text.slice(0, text.length - random.between(0, 2))] };
};
const host = (random: SeededRandom): Predicate => ({
  op: 'suffix',
  path: 'data.asset.name',
  values: [`${random.below(10)}${random.pick(zones)}`],
});
const notWorkflow = (random: SeededRandom): Predicate => ({
  op: 'not',
  path: 'data.workflow',
  values: [random.pick(workflows)],
});

type Template = readonly ((random: SeededRandom) => Predicate)[];

const templates: readonly (readonly [Template, number])[] = [
  [[event, severity, tag], 44],
  [[severity, group], 14],
  [[cve], 12],
  [[cve, notScan], 2],
  [[severity, network], 8],
  [[event, host], 9],
  [[title, notWorkflow], 3],
  [[port, tag], 4],
  [[score, group], 2],
  [[severity, tag, notScan], 2],
];

/** `count` rules, the same for the same seed; the first n of more are the n of fewer. */
export function socRules(count: number, seed = 2): SocRule[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, number) => ({
    id: `r${String(number).padStart(6, '0')}`,
    predicates: random.weighted(templates).map((make) => make(random)),
  }));
}

/** The event-ruler pattern. */
export function toPattern({ predicates }: SocRule): Record<string, unknown> {
  const pattern: Record<string, unknown> = {};
  for (const predicate of predicates) {
    const names = predicate.path.split('.');
    const last = names.pop()!;
    let at = pattern;
    for (const name of names) {
      at[name] ??= {};
      at = at[name] as Record<string, unknown>;
    }
    if (Object.hasOwn(at, last)) throw new Error(`two predicates on ${predicate.path}`);
    at[last] = patternValues(predicate);
  }
  return pattern;
}

function patternValues(predicate: Predicate): unknown[] {
  switch (predicate.op) {
    case 'in':
    case 'number':
      return [...predicate.values];
    case 'not':
      return [{ 'anything-but': predicate.values }];
    case 'severity':
      return words.slice(words.indexOf(predicate.least as (typeof words)[number]));
    case 'range':
      return [{ numeric: ['>=', predicate.gte, '<=', predicate.lte] }];
    default:
      return predicate.values.map((value) => ({ [predicate.op]: value }));
  }
}

/** The rule of Tocsin. Text is compared in any case, its default: the harder job of the two. */
export function toRule({ id, predicates }: SocRule): Record<string, unknown> {
  const when: Record<string, unknown> = {};
  for (const predicate of predicates) {
    if (predicate.op === 'severity') when['min_severity'] = predicate.least;
    else when[predicate.path] = ruleValue(predicate);
  }
  return { kind: 'rule', id, when, then: [{ action: 'none' }] };
}

function ruleValue(predicate: Exclude<Predicate, { op: 'severity' }>): unknown {
  switch (predicate.op) {
    case 'in':
    case 'number':
      return predicate.values;
    case 'range':
      return { gte: predicate.gte, lte: predicate.lte };
    default:
      return { [predicate.op]: predicate.values };
  }
}
