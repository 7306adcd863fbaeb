// Rules that change while events are matched: `node bench/rules/changes.child.ts RULES.jsonl EVENTS.jsonl [changes/s] [s]`.
//
// Prints one line: how long single events took, what it took until a change counted, and how long the slices of work took
// that keep the tables small. Work is in batches of 200 events, as the evaluator does it: changes are put between batches,
// then one slice is done.
// Invariant: the changes are made at the rate that was asked for, or the result says how many were made.
import { createRuleEngine } from '@tocsin/local/commands/rules-engine.ts';
import { openEvents } from '@tocsin/local/commands/rules-events.ts';
import { loadRules } from '@tocsin/local/commands/rules-load.ts';
import { createScanner, hashText } from '@tocsin/schemas/codecs/scan/scanner.ts';
import { createMatcher } from '@tocsin/topologies/domain/rules/matcher/matcher.ts';
import type { RuleRevision } from '@tocsin/topologies/domain/rules/parse-rule.ts';
import { percentiles } from './percentiles.ts';
import { seededRandom } from './random.ts';

const batchEvents = 200;
/** Rules per slice of compaction, as run/decide.ts asks for. */
const compactSteps = 64;
const context = { now: Date.now(), lists: new Map() };

const [rulesFile = '', eventsFile = '', rateText = '1000', secondsText = '5'] = process.argv.slice(2);
const rate = Number(rateText);
const seconds = Number(secondsText);
const { rules } = await loadRules(rulesFile, 'tocsin');
const { value: lines } = await (await openEvents(eventsFile)).pieces()[Symbol.asyncIterator]().next();
const { bytes, count, starts, ends } = lines!;

const random = seededRandom(21);
let changes = 0;
let line = 0;
const matcher = createMatcher({ createScanner, hashText, seed: 1 });
// A tenth of the rules is away at any time and comes back in the place of others.
const away = rules.splice(0, Math.ceil(rules.length / 10));
for (const rule of rules) matcher.put(rule);
matchAll(2);

const eventTimes: number[] = [];
const firstTimes: number[] = [];
const sliceTimes: number[] = [];
const began = performance.now();
for (let now = began; now - began < seconds * 1_000; now = performance.now()) {
  const due = Math.floor(((now - began) / 1_000) * rate);
  const changed = due > changes;
  const before = performance.now();
  for (; changes < due; changes += 1) change();
  for (let index = 0; index < batchEvents; index += 1) {
    const start = performance.now();
    matchNext();
    const end = performance.now();
    eventTimes.push((end - start) * 1_000);
    // From the first change of the batch until an event has been judged with it.
    if (index === 0 && changed) firstTimes.push(end - before);
  }
  const slice = performance.now();
  matcher.compact(compactSteps);
  sliceTimes.push(performance.now() - slice);
}
const elapsed = (performance.now() - began) / 1_000;
verify();
process.stdout.write(
  `${JSON.stringify({
    rules: matcher.size,
    changes_per_second: Math.round(changes / elapsed),
    events_per_second: Math.round(eventTimes.length / elapsed),
    event_us: percentiles(Float64Array.from(eventTimes)),
    change_visible_ms: percentiles(Float64Array.from(firstTimes)),
    compact_slice_ms: percentiles(Float64Array.from(sliceTimes)),
  })}\n`,
);

/** Half of the changes replace a rule, a quarter each adds and removes one. */
function change(): void {
  const at = random.below(rules.length);
  const [old] = rules.slice(at, at + 1) as [RuleRevision];
  if (changes % 2 === 0) {
    const back = away.shift()!;
    matcher.remove(old.document.id);
    matcher.put(back);
    rules[at] = back;
    away.push(old);
  } else if (changes % 4 === 1) {
    matcher.remove(old.document.id);
    rules[at] = rules.at(-1)!;
    rules.pop();
    away.push(old);
  } else {
    const back = away.shift()!;
    matcher.put(back);
    rules.push(back);
  }
}

function matchNext(): number {
  line = (line + 1) % count;
  return matcher.matchBytes(bytes, starts[line]!, ends[line]!, context).rules!.length;
}

function matchAll(rounds: number): void {
  for (let left = rounds * count; left > 0; left -= 1) matchNext();
}

/** After all changes the matcher answers as one that was built with the rules that are left. */
function verify(): void {
  const fresh = createRuleEngine(rules, { now: context.now });
  for (let index = 0; index < Math.min(count, 500); index += 1) {
    const [start, end] = [starts[index]!, ends[index]!];
    const ids = matcher.matchBytes(bytes, start, end, context).rules!.map(({ document }) => document.id);
    const expected = fresh.match(bytes, start, end)!.map(({ document }) => document.id);
    if (ids.join() !== expected.join())
      throw new Error(`after the changes event ${index + 1} matches other rules`);
  }
}
