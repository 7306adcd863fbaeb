// The rules of one source under changes: additions and removals take effect at the next event, the tables are built anew beside
// the work when enough has changed.
//
// Invariant: numbers below `sorted` are in the order of the rule set; later ones are the additions since. A removed rule leaves its
// number without a rule. While tables are built anew every change is kept and made there too before they are taken.
// Surprise: a rule that is put is only noted; it is compiled when the next event comes, so that many at once are filed with
// what all of them say about the values of their fields.
import { byPriorityThenId } from '../compile.ts';
import type { RuleRevision } from '../parse-rule.ts';
import { compileRule, createEngine, type Engine, engineBytes, fileRules } from './engine.ts';

export interface RuleIndex {
  engine: Engine;
  /** By number; null once removed. */
  rules: (RuleRevision | null)[];
  numbers: Map<string, number>;
  /** Numbers below it are in order. */
  sorted: number;
  /** Of each later number: how many of the sorted ones come before it. So results are put in order without reading a rule. */
  places: number[];
  dead: number;
  /** Noted and not compiled yet. */
  readonly pending: Map<string, RuleRevision>;
  rebuild: Rebuild | null;
  readonly hashText: (text: Uint8Array) => number;
  readonly seed: number;
  /** So many additions, or removed rules, make it worth building anew, if they are one rule in four. */
  readonly fewest: number;
}

interface Rebuild {
  readonly engine: Engine;
  readonly rules: (RuleRevision | null)[];
  readonly numbers: Map<string, number>;
  readonly places: number[];
  /** Additions of the old tables in order; they are merged with its sorted part. */
  readonly additions: RuleRevision[];
  readonly until: number;
  fromSorted: number;
  fromAdditions: number;
  compiled: boolean;
  /** Changes since it began: the new revision, or the id of a removed rule. */
  readonly journal: (RuleRevision | string)[];
  replayed: number;
  sorted: number;
  dead: number;
}

export function createRuleIndex(
  hashText: (text: Uint8Array) => number,
  seed: number,
  fewest: number,
): RuleIndex {
  return {
    engine: createEngine(hashText, seed, null),
    rules: [],
    numbers: new Map(),
    sorted: 0,
    places: [],
    dead: 0,
    pending: new Map(),
    rebuild: null,
    hashText,
    seed,
    fewest,
  };
}

export function sizeOf({ numbers, pending }: RuleIndex): number {
  let added = 0;
  for (const id of pending.keys()) if (!numbers.has(id)) added += 1;
  return numbers.size + added;
}

export function putRule(index: RuleIndex, rule: RuleRevision): void {
  index.pending.set(rule.document.id, rule);
}

/** Whether there was such a rule. */
export function removeRule(index: RuleIndex, id: string): boolean {
  const noted = index.pending.delete(id);
  const known = forget(index, id);
  if (known) index.rebuild?.journal.push(id);
  return noted || known;
}

/** Makes everything that was put count. Called before an event is matched. */
export function settle(index: RuleIndex): void {
  const { pending } = index;
  if (pending.size === 0) return;
  if (pending.size > index.fewest && pending.size * 2 > index.numbers.size) {
    buildAll(index);
    return;
  }
  for (const rule of pending.values()) {
    addLater(index, rule);
    index.rebuild?.journal.push(rule);
  }
  pending.clear();
  fileRules(index.engine, Number.POSITIVE_INFINITY);
}

/**
 * Goes on building the tables anew, if enough has changed, by about `steps` rules. Returns whether more is to do: call it
 * between batches. Matching goes on with the old tables until the new ones are complete.
 */
export function compactSlice(index: RuleIndex, steps: number): boolean {
  settle(index);
  const rebuild = index.rebuild ?? beginRebuild(index);
  if (rebuild === null) return false;
  if (!rebuild.compiled) compileSlice(index, rebuild, steps);
  else if (rebuild.engine.waiting.size > 0) fileRules(rebuild.engine, steps);
  else if (rebuild.replayed < rebuild.journal.length) replay(index, rebuild, steps);
  else {
    take(index, rebuild);
    return false;
  }
  return true;
}

export function indexBytes({ engine, rules, rebuild }: RuleIndex): number {
  return engineBytes(engine) + rules.length * 8 + (rebuild === null ? 0 : engineBytes(rebuild.engine));
}

/** Everything anew in one go. */
function buildAll(index: RuleIndex): void {
  for (const id of index.pending.keys()) forget(index, id);
  const rules = [...index.rules.filter((rule) => rule !== null), ...index.pending.values()].sort(
    byPriorityThenId,
  );
  index.pending.clear();
  index.rebuild = null;
  index.engine = createEngine(index.hashText, index.seed, null);
  index.rules = [];
  index.numbers = new Map();
  index.places = [];
  index.dead = 0;
  for (const rule of rules) add(index, rule);
  index.sorted = rules.length;
  fileRules(index.engine, Number.POSITIVE_INFINITY);
}

type Target = Pick<RuleIndex, 'engine' | 'rules' | 'numbers' | 'dead'>;

function add(target: Target, rule: RuleRevision): void {
  const { id } = rule.document;
  forget(target, id);
  const number = target.rules.length;
  target.rules.push(rule);
  target.numbers.set(id, number);
  compileRule(target.engine, number, rule.condition);
}

/** Adds a rule beside the sorted ones. */
function addLater(target: Target & Pick<RuleIndex, 'sorted' | 'places'>, rule: RuleRevision): void {
  add(target, rule);
  target.places.push(placeOf(target, rule));
}

function placeOf({ rules, sorted }: Pick<RuleIndex, 'rules' | 'sorted'>, rule: RuleRevision): number {
  let low = 0;
  let high = sorted;
  while (low < high) {
    const middle = (low + high) >> 1;
    // Removed rules have no place of their own; the next one tells.
    let at = middle;
    while (at < high && rules[at] === null) at += 1;
    if (at === high) high = middle;
    else if (byPriorityThenId(rules[at] as RuleRevision, rule) < 0) low = at + 1;
    else high = middle;
  }
  return low;
}

function forget(target: Target, id: string): boolean {
  const number = target.numbers.get(id);
  if (number === undefined) return false;
  target.numbers.delete(id);
  target.rules[number] = null;
  target.dead += 1;
  return true;
}

function beginRebuild(index: RuleIndex): Rebuild | null {
  const { rules, sorted, dead } = index;
  const changed = Math.max(rules.length - sorted, dead);
  if (changed < index.fewest || changed * 4 < rules.length) return null;
  index.rebuild = {
    engine: createEngine(index.hashText, index.seed, index.engine),
    rules: [],
    numbers: new Map(),
    places: [],
    additions: rules
      .slice(sorted)
      .filter((rule) => rule !== null)
      .sort(byPriorityThenId),
    until: sorted,
    fromSorted: 0,
    fromAdditions: 0,
    compiled: false,
    journal: [],
    replayed: 0,
    sorted: 0,
    dead: 0,
  };
  return index.rebuild;
}

// A rule that was removed since is null in the old list, or is removed by the journal later.
function compileSlice(index: RuleIndex, rebuild: Rebuild, steps: number): void {
  const { additions, until } = rebuild;
  for (let step = 0; step < steps; step++) {
    while (rebuild.fromSorted < until && index.rules[rebuild.fromSorted] === null) rebuild.fromSorted += 1;
    const old = rebuild.fromSorted < until ? (index.rules[rebuild.fromSorted] as RuleRevision) : null;
    const added = additions[rebuild.fromAdditions] ?? null;
    if (old === null && added === null) {
      rebuild.compiled = true;
      rebuild.sorted = rebuild.rules.length;
      return;
    }
    if (added === null || (old !== null && byPriorityThenId(old, added) < 0)) {
      add(rebuild, old as RuleRevision);
      rebuild.fromSorted += 1;
    } else {
      add(rebuild, added);
      rebuild.fromAdditions += 1;
    }
  }
}

function replay(_index: RuleIndex, rebuild: Rebuild, steps: number): void {
  const until = Math.min(rebuild.journal.length, rebuild.replayed + steps);
  for (; rebuild.replayed < until; rebuild.replayed++) {
    const change = rebuild.journal[rebuild.replayed] as RuleRevision | string;
    if (typeof change === 'string') forget(rebuild, change);
    else addLater(rebuild, change);
  }
}

function take(index: RuleIndex, rebuild: Rebuild): void {
  index.engine = rebuild.engine;
  index.rules = rebuild.rules;
  index.numbers = rebuild.numbers;
  index.places = rebuild.places;
  index.sorted = rebuild.sorted;
  index.dead = rebuild.dead;
  index.rebuild = null;
}
