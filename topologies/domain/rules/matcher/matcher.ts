// The fast rule set: events as bytes, parsed events and rows of search results against many rules at once.
//
// Invariant: the rules that come out are those whose condition holds, in the order of the rule set, whatever was put and removed
// before. Events that the scanner does not resolve are left to the caller, who parses them and asks with the values.
// Surprise: an engine is built for each source; rules over rows never cost anything for events.
import { type Elements, type Scanner, scanOk } from '@tocsin/schemas/codecs/scan/elements.ts';
import { byPriorityThenId, type RuleSet } from '../compile.ts';
import type { MatchContext } from '../context.ts';
import type { RuleRevision } from '../parse-rule.ts';
import type { Subject } from '../path.ts';
import { type Engine, matchElements, takeHeld } from './engine.ts';
import type { FieldIndex } from './fields.ts';
import {
  compactSlice,
  createRuleIndex,
  indexBytes,
  putRule,
  type RuleIndex,
  removeRule,
  settle,
  sizeOf,
} from './rule-index.ts';
import { createValueSource } from './value-source.ts';

export interface MatcherParts {
  readonly createScanner: (paths: readonly (readonly string[])[], seed: number) => Scanner;
  readonly hashText: (text: Uint8Array, seed: number) => number;
  /** Any 32-bit integer, unknown to whoever writes events, so that they cannot choose values that collide. */
  readonly seed: number;
  /** Paths into the event whose elements the caller looks at after `matchBytes`, each once; at most 127. */
  readonly watch?: readonly (readonly string[])[];
  /** Changes that make it worth building the tables anew, at least; default 1,024. */
  readonly fewestChanges?: number;
}

/** What stands at the watched paths of the event that was matched last; valid until the next one. */
export interface Watched {
  readonly elements: Elements;
  /** Index in `watch` by slot, -1 for the others. */
  readonly watchOfSlot: Int8Array;
}

export interface MatcherStats {
  readonly rules: number;
  /** Entries of rules that every event has to check, because they hold through something absent. */
  readonly unwitnessed: number;
  /** Times that a bucket of rules was told apart by a further field. */
  readonly splits: number;
  /** Of the tables, without the revisions themselves and the map of their ids. */
  readonly bytes: number;
  /** Changes that wait for the next event. */
  readonly pending: number;
  /** Bytes looked at, candidates and comparisons so far: grows in proportion to the work, whatever the clock says. */
  readonly work: number;
}

export type BytesMatch =
  | { readonly verdict: 'ok'; readonly rules: RuleRevision[]; readonly watched: Watched }
  /** The bytes need `parseJson`, and then `match`. `cause` is an index of the scanner's irregularCauses. */
  | { readonly verdict: 'irregular'; readonly cause: number; readonly rules: null };

export interface Matcher extends RuleSet {
  /** Adds the rule, or puts it in the place of the one with its id. Counts from the next event on. */
  put(rule: RuleRevision): void;
  /** Whether there was such a rule. */
  remove(id: string): boolean;
  /** Rules over events that hold for the event in `bytes[start, end)`. Never throws, keeps nothing of `bytes`. */
  matchBytes(bytes: Uint8Array, start: number, end: number, context: MatchContext): BytesMatch;
  /** A slice of about `steps` rules of the work that keeps the tables small; whether more is to do. See compactSlice. */
  compact(steps: number): boolean;
  stats(): MatcherStats;
}

interface Scan {
  readonly engine: Engine;
  readonly slots: number;
  readonly scanner: Scanner | null;
  readonly fieldsOf: readonly (readonly FieldIndex[])[];
  readonly watchOfSlot: Int8Array;
}

const room = 7;
/** Bytes; rules have at most 64 KB. */
const longest = 128 * 1024;

export function createMatcher({
  createScanner,
  hashText,
  seed,
  watch = [],
  fewestChanges = 1024,
}: MatcherParts): Matcher {
  // Nothing that long is in a rule, so any number will do.
  const hash = (text: Uint8Array): number => (text.length > longest ? 0 : hashText(text, seed));
  const events = createRuleIndex(hash, seed, fewestChanges);
  const rows = createRuleIndex(hash, seed, fewestChanges);
  const values = createValueSource(hash);
  let scan: Scan | null = null;
  let bytes: Uint8Array = new Uint8Array(0);
  let from = 0;
  let to = 0;
  const parseBytes = (): Subject => {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('utf8');
    return { source: 'events', fields: JSON.parse(text), search: null };
  };

  return {
    get size() {
      return sizeOf(events) + sizeOf(rows);
    },
    put(rule) {
      const isRow = rule.document.source === 'search-results';
      removeRule(isRow ? events : rows, rule.document.id);
      putRule(isRow ? rows : events, rule);
    },
    remove(id) {
      const wasEvents = removeRule(events, id);
      return removeRule(rows, id) || wasEvents;
    },
    match(subject, context) {
      const index = subject.source === 'events' ? events : rows;
      settle(index);
      const { engine } = index;
      values.read(subject, engine.fields.slots);
      matchElements(engine, values, engine.fields.fieldsOfSlot, context, () => subject, -1);
      return collect(index);
    },
    matchBytes(source, start, end, context) {
      settle(events);
      const { engine } = events;
      if (scan === null || scan.engine !== engine || scan.slots !== engine.fields.slots.length)
        scan = createScan(engine, createScanner, seed, watch);
      const { scanner, fieldsOf, watchOfSlot } = scan;
      const cause = scanner === null ? room : scanner.scan(source, start, end);
      if (scanner === null || cause !== scanOk) return { verdict: 'irregular', cause, rules: null };
      bytes = source;
      from = start;
      to = end;
      matchElements(engine, scanner, fieldsOf, context, parseBytes, end - start);
      bytes = nothing;
      const watched = { elements: scanner.elements, watchOfSlot };
      return { verdict: 'ok', rules: collect(events), watched };
    },
    inOrder: (some) => [...some].sort(byPriorityThenId),
    compact(steps) {
      const more = compactSlice(events, steps);
      return compactSlice(rows, steps) || more;
    },
    stats: () => ({
      rules: sizeOf(events) + sizeOf(rows),
      unwitnessed: events.engine.buckets.unwitnessed + rows.engine.buckets.unwitnessed,
      splits: events.engine.buckets.splitCount + rows.engine.buckets.splitCount,
      bytes: indexBytes(events) + indexBytes(rows),
      pending: events.pending.size + rows.pending.size,
      work: events.engine.run.work + rows.engine.run.work,
    }),
  };
}

const nothing = new Uint8Array(0);

// Events have no search result beside them, so only paths into the event are scanned for. More paths than a scanner takes
// leave every event to the way over values.
function createScan(
  engine: Engine,
  createScanner: MatcherParts['createScanner'],
  seed: number,
  watch: readonly (readonly string[])[],
): Scan {
  const { slots, fieldsOfSlot } = engine.fields;
  const used = slots.flatMap(({ root }, slot) => (root === 'fields' ? [slot] : []));
  const paths = used.map((slot) => (slots[slot] as (typeof slots)[number]).segments);
  const placeOf = new Map(paths.map((path, place) => [JSON.stringify(path), place]));
  const watchOf = new Map<number, number>();
  for (const [index, path] of watch.entries()) {
    const known = placeOf.get(JSON.stringify(path));
    watchOf.set(known ?? paths.length, index);
    if (known === undefined) paths.push(path);
  }
  let scanner: Scanner | null = null;
  try {
    scanner = createScanner(paths, seed);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return {
    engine,
    slots: slots.length,
    scanner,
    // A watched path that no rule reads has no fields.
    fieldsOf: paths.map((_, place) =>
      place < used.length ? (fieldsOfSlot[used[place]!] as FieldIndex[]) : [],
    ),
    watchOfSlot: Int8Array.from(paths, (_, place) => watchOf.get(place) ?? -1),
  };
}

const none: number[] = [];

// Numbers come in ascending order: first those that are in the order of the set, then the additions since, which are merged in
// by their places. Rules are not read for it: with 100,000 of them each would be a miss of the cache.
function collect(index: RuleIndex): RuleRevision[] {
  const found: RuleRevision[] = [];
  const { rules, sorted } = index;
  let sortedOnes = none;
  let added = none;
  const hasLater = rules.length > sorted;
  takeHeld(index.engine, (number) => {
    const rule = rules[number] as RuleRevision | null;
    if (rule === null) return;
    if (number >= sorted) {
      if (added === none) added = [number];
      else added.push(number);
      return;
    }
    found.push(rule);
    if (!hasLater) return;
    if (sortedOnes === none) sortedOnes = [number];
    else sortedOnes.push(number);
  });
  return added === none ? found : merge(index, found, sortedOnes, added);
}

function merge(
  { rules, sorted, places }: RuleIndex,
  found: readonly RuleRevision[],
  numbers: readonly number[],
  added: number[],
): RuleRevision[] {
  // Rules removed since a place was found may have stood between it and another: both mean the next rule that is left.
  const placeOf = (number: number): number => {
    let place = places[number - sorted] as number;
    while (place < sorted && rules[place] === null) place += 1;
    places[number - sorted] = place;
    return place;
  };
  const ruleOf = (number: number): RuleRevision => rules[number] as RuleRevision;
  added.sort((a, b) => placeOf(a) - placeOf(b) || byPriorityThenId(ruleOf(a), ruleOf(b)));
  const merged: RuleRevision[] = [];
  let i = 0;
  for (const number of added) {
    const place = placeOf(number);
    while (i < numbers.length && (numbers[i] as number) < place) {
      merged.push(found[i] as RuleRevision);
      i += 1;
    }
    merged.push(ruleOf(number));
  }
  for (; i < found.length; i++) merged.push(found[i] as RuleRevision);
  return merged;
}
