// Proves that what one JSON Schema accepts, a later one accepts too (draft-07, the keywords that our documents use).
//
// Invariant: sound, not complete. An empty answer is a proof; a break may be a change that is harmless for a reason the rules
// below do not see. A keyword that the rules do not know must be equal on both sides.
// Surprise: adding a branch to oneOf can reject old values, because exactly one branch may match; the new branch has to be
// disjoint from every old one.
export type Schema = boolean | { readonly [keyword: string]: unknown };

/** Where and why. `path` names members of the value: '/then/*' is any item of `then`. */
export interface Break {
  readonly path: string;
  readonly message: string;
}

/** Looks up `$ref`: 'file.json#/definitions/x' or '#/definitions/x', from the schema file `base`. */
export type Resolve = (ref: string, base: string) => { readonly schema: Schema; readonly base: string };

export interface Versions {
  readonly before: Resolve;
  readonly after: Resolve;
}

const annotations = new Set([
  ...[
    '$schema',
    '$id',
    '$comment',
    'title',
    'description',
    'default',
    'examples',
    'example',
    'secret',
    'since',
  ],
  ...['definitions', 'readOnly', 'writeOnly'],
]);
const lowerBounds = ['minLength', 'minItems', 'minProperties', 'minimum', 'exclusiveMinimum'];
const upperBounds = ['maxLength', 'maxItems', 'maxProperties', 'maximum', 'exclusiveMaximum'];
const handled = new Set([
  ...annotations,
  ...lowerBounds,
  ...upperBounds,
  ...[
    'type',
    'enum',
    'const',
    'required',
    'properties',
    'additionalProperties',
    'items',
    'allOf',
    'anyOf',
    'oneOf',
  ],
]);

type Objects = { readonly [keyword: string]: unknown };
type Located = { readonly schema: Schema; readonly base: string };

/** What `before` accepts and `after` may refuse; empty when there is nothing. `base` names the file that both are. */
export function findBreaks(before: Schema, after: Schema, base: string, versions: Versions): Break[] {
  const breaks: Break[] = [];
  const assumed = new Set<string>();
  include({ schema: before, base }, { schema: after, base }, '');
  return breaks;

  function report(path: string, message: string): void {
    breaks.push({ path, message });
  }

  function includes(old: Located, now: Located): boolean {
    const mark = breaks.length;
    const before = new Set(assumed);
    include(old, now, '');
    if (breaks.splice(mark).length === 0) return true;
    // A pair that was assumed to fit on the way to a failure is not known to fit.
    assumed.clear();
    for (const pair of before) assumed.add(pair);
    return false;
  }

  function include(oldAt: Located, nowAt: Located, path: string): void {
    const pair = refPair(oldAt, nowAt);
    if (pair !== null) {
      if (assumed.has(pair)) return;
      assumed.add(pair);
    }
    const old = follow(oldAt, versions.before);
    const now = follow(nowAt, versions.after);
    if (now.schema === true || old.schema === false) return;
    if (now.schema === false) {
      report(path, 'nothing is accepted any more');
      return;
    }
    const a = (old.schema === true ? {} : old.schema) as Objects;
    const b = now.schema as Objects;
    const sub = (from: Located, schema: unknown): Located => ({ schema: schema as Schema, base: from.base });
    checkTypes(a, b, path);
    checkBounds(a, b, path);
    for (const name of list(b['required']))
      if (!list(a['required']).includes(name)) report(`${path}/${name}`, 'is required now');
    checkMembers(
      a,
      b,
      path,
      (schema) => sub(old, schema),
      (schema) => sub(now, schema),
    );
    if ('items' in b && typesOf(a).includes('array')) {
      if (Array.isArray(b['items']) || Array.isArray(a['items'])) sameOrReport(a, b, 'items', path);
      else include(sub(old, a['items'] ?? true), sub(now, b['items']), `${path}/*`);
    }
    for (const part of list(b['allOf']) as Schema[])
      if (!list(a['allOf']).some((one) => same(one, part))) include(old, sub(now, part), path);
    if ('anyOf' in b) checkAny(old, now, path);
    if ('oneOf' in b) checkOne(old, now, path);
    for (const keyword of Object.keys(b)) if (!handled.has(keyword)) sameOrReport(a, b, keyword, path);
  }

  function checkTypes(a: Objects, b: Objects, path: string): void {
    const allowed = valuesOf(b);
    const had = valuesOf(a);
    if (allowed !== null) {
      if (had === null) report(path, 'takes listed values only now');
      else
        for (const value of had)
          if (!allowed.some((one) => same(one, value)))
            report(path, `no longer takes ${JSON.stringify(value)}`);
    }
    if (b['type'] === undefined) return;
    const types = [b['type']].flat() as string[];
    for (const type of typesOf(a))
      if (!types.some((one) => one === type || (one === 'number' && type === 'integer')))
        report(path, `no longer takes ${type}`);
  }

  function checkBounds(a: Objects, b: Objects, path: string): void {
    const fits = (bound: string, limit: number): boolean => {
      const had = valuesOf(a);
      return had?.every((value) => within(value, bound, limit)) ?? false;
    };
    for (const bound of lowerBounds) {
      const limit = b[bound] as number | undefined;
      const was = a[bound] as number | undefined;
      const trivial = limit === 0 && /^min(Length|Items|Properties)$/.test(bound);
      if (limit === undefined || trivial || (was !== undefined && was >= limit) || fits(bound, limit))
        continue;
      report(path, `${bound} is ${limit} now`);
    }
    for (const bound of upperBounds) {
      const limit = b[bound] as number | undefined;
      const was = a[bound] as number | undefined;
      if (limit === undefined || (was !== undefined && was <= limit) || fits(bound, limit)) continue;
      report(path, `${bound} is ${limit} now`);
    }
  }

  function checkMembers(
    a: Objects,
    b: Objects,
    path: string,
    olds: (s: unknown) => Located,
    nows: (s: unknown) => Located,
  ): void {
    const was = (a['properties'] ?? {}) as Objects;
    const is = (b['properties'] ?? {}) as Objects;
    const others = a['additionalProperties'] ?? true;
    const takes = b['additionalProperties'] ?? true;
    if (!typesOf(a).includes('object')) return;
    for (const name of Object.keys(is))
      include(olds(name in was ? was[name] : others), nows(is[name]), `${path}/${name}`);
    for (const name of Object.keys(was)) {
      if (name in is) continue;
      if (takes === false && was[name] !== false) report(`${path}/${name}`, 'is an unknown member now');
      else include(olds(was[name]), nows(takes), `${path}/${name}`);
    }
    if (takes === false && others !== false) report(path, 'refuses unknown members now');
    else include(olds(others), nows(takes), `${path}/*`);
  }

  function checkAny(old: Located, now: Located, path: string): void {
    const a = (old.schema === true ? {} : old.schema) as Objects;
    const choices = ((now.schema as Objects)['anyOf'] as Schema[]).map((schema) => ({
      schema,
      base: now.base,
    }));
    const sources = (a['anyOf'] ?? a['oneOf']) as Schema[] | undefined;
    const each = sources?.map((schema) => ({ schema, base: old.base })) ?? [old];
    for (const [k, source] of each.entries())
      if (!choices.some((choice) => includes(source, choice)))
        report(path, `no alternative takes what alternative ${k + 1} took`);
  }

  function checkOne(old: Located, now: Located, path: string): void {
    const a = (old.schema === true ? {} : old.schema) as Objects;
    const choices = (now.schema as Objects)['oneOf'] as Schema[];
    const sources = a['oneOf'] as Schema[] | undefined;
    const each = sources ?? [old.schema];
    for (const [k, source] of each.entries()) {
      const from = { schema: source, base: old.base };
      const fitting = choices.findIndex((choice) => includes(from, { schema: choice, base: now.base }));
      if (fitting < 0) {
        report(path, `no alternative takes what alternative ${k + 1} took`);
        continue;
      }
      for (const [j, choice] of choices.entries()) {
        if (j === fitting) continue;
        const unchanged = sources?.some((one, i) => i !== k && same(one, choice) && !hasRef(one)) ?? false;
        if (
          !unchanged &&
          !disjoint(
            follow(from, versions.before).schema,
            follow({ schema: choice, base: now.base }, versions.after).schema,
          )
        )
          report(path, `alternative ${j + 1} may take what alternative ${k + 1} took`);
      }
    }
  }

  function sameOrReport(a: Objects, b: Objects, keyword: string, path: string): void {
    if (!same(a[keyword], b[keyword]) || hasRef(b[keyword])) report(path, `${keyword} changed`);
  }
}

function follow(at: Located, resolve: Resolve): Located {
  let here = at;
  for (let hops = 0; hops < 16; hops++) {
    const ref = typeof here.schema === 'object' ? here.schema['$ref'] : undefined;
    if (typeof ref !== 'string') return here;
    here = resolve(ref, here.base);
  }
  throw new Error(`${at.base}: references go in a circle`);
}

function refPair(old: Located, now: Located): string | null {
  const a = typeof old.schema === 'object' ? old.schema['$ref'] : undefined;
  const b = typeof now.schema === 'object' ? now.schema['$ref'] : undefined;
  return a === undefined && b === undefined ? null : JSON.stringify([old, now]);
}

const allTypes = ['null', 'boolean', 'number', 'string', 'array', 'object'];

function typesOf(schema: Objects): string[] {
  if (schema['type'] !== undefined) return [schema['type']].flat() as string[];
  const values = valuesOf(schema);
  return values === null ? allTypes : [...new Set(values.map(typeOf))];
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}

function valuesOf(schema: Objects): unknown[] | null {
  if ('const' in schema) return [schema['const']];
  return Array.isArray(schema['enum']) ? schema['enum'] : null;
}

// Whether a listed value keeps to a bound; bounds of lengths and sizes are left to a report.
function within(value: unknown, bound: string, limit: number): boolean {
  const size = /Length$/.test(bound)
    ? typeof value === 'string'
      ? [...value].length
      : null
    : /imum$/.test(bound) && typeof value === 'number'
      ? value
      : null;
  if (size === null) return false;
  if (bound.startsWith('exclusive')) return bound === 'exclusiveMinimum' ? size > limit : size < limit;
  return bound.startsWith('min') ? size >= limit : size <= limit;
}

/** True only when no value fits both: a required member with different constants, a required member that the other refuses, or types. */
function disjoint(one: Schema, other: Schema): boolean {
  if (typeof one === 'boolean' || typeof other === 'boolean') return one === false || other === false;
  const widen = (type: string): string => (type === 'integer' ? 'number' : type);
  const types = typesOf(one).map(widen);
  if (
    !typesOf(other)
      .map(widen)
      .some((type) => types.includes(type))
  )
    return true;
  if (typesOf(one).join() !== 'object' || typesOf(other).join() !== 'object') return false;
  return refusesRequired(one, other) || refusesRequired(other, one) || differentConstants(one, other);
}

function refusesRequired(one: Objects, other: Objects): boolean {
  if (other['additionalProperties'] !== false || other['patternProperties'] !== undefined) return false;
  return list(one['required']).some(
    (name) => !Object.hasOwn((other['properties'] ?? {}) as Objects, name as string),
  );
}

function differentConstants(one: Objects, other: Objects): boolean {
  return list(one['required']).some((name) => {
    if (!list(other['required']).includes(name)) return false;
    const member = (schema: Objects): unknown[] | null => {
      const found = ((schema['properties'] ?? {}) as Objects)[name as string];
      return typeof found === 'object' && found !== null ? valuesOf(found as Objects) : null;
    };
    const [left, right] = [member(one), member(other)];
    return (
      left !== null && right !== null && !left.some((value) => right.some((other) => same(value, other)))
    );
  });
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function hasRef(value: unknown): boolean {
  return value !== undefined && JSON.stringify(value).includes('"$ref"');
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !['title', 'description', 'examples'].includes(name))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, sorted(member)]),
  );
}
