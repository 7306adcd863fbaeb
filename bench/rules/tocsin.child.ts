// The Tocsin side of `./tocsin bench rules`: what `./tocsin rules match` runs, under the commands of subject.ts.
//
// Usage: node bench/rules/tocsin.child.ts RULES.jsonl FORMAT EVENTS.jsonl. Commands: `round`, `dump FILE`, and `latency`,
// which answers the time of single events. Events are bytes, and their lines are known, before the clock starts.
import { closeSync, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { createRuleEngine, type RuleEngine } from '@tocsin/local/commands/rules-engine.ts';
import { type EventLines, openEvents } from '@tocsin/local/commands/rules-events.ts';
import { loadRules, type RuleFormat } from '@tocsin/local/commands/rules-load.ts';
import { collectGarbage } from '@tocsin/local/commands/rules-memory.ts';
import { percentiles } from './percentiles.ts';
import type { Round } from './subject.ts';

export interface TocsinBuilt {
  readonly rules: number;
  /** Reading and checking the documents. */
  readonly load_ms: number;
  /** From checked rules to a matcher that is ready. */
  readonly build_ms: number;
  readonly rss_bytes: number;
}

const answer = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);

const [rulesFile = '', format = 'tocsin', eventsFile = ''] = process.argv.slice(2);
const start = performance.now();
const loaded = await loadRules(rulesFile, format as RuleFormat);
if (loaded.problems.length > 0) throw new Error(loaded.problems.slice(0, 3).join('\n'));
const checked = performance.now();
const engine = createRuleEngine(loaded.rules, { now: Date.now() });
const ready = performance.now();
loaded.rules.length = 0;
collectGarbage();
answer({
  rules: engine.size,
  load_ms: Math.round(checked - start),
  build_ms: Math.round((ready - checked) * 10) / 10,
  rss_bytes: process.memoryUsage.rss(),
} satisfies TocsinBuilt);
const lines = await only((await openEvents(eventsFile)).pieces());
for await (const command of createInterface({ input: process.stdin })) {
  if (command === 'round') answer(round(engine, lines));
  else if (command === 'latency') answer(latency(engine, lines));
  else if (command.startsWith('dump ')) answer(dump(engine, lines, command.slice(5)));
  else throw new Error(`unknown command ${command}`);
}

async function only(pieces: AsyncIterable<EventLines>): Promise<EventLines> {
  const all: EventLines[] = [];
  for await (const piece of pieces) all.push(piece);
  if (all.length !== 1) throw new Error('the file of events is too large to be held as a whole');
  return all[0]!;
}

function round({ match }: RuleEngine, { bytes, count, starts, ends }: EventLines): Round {
  const cpu = process.cpuUsage();
  const before = performance.now();
  let matches = 0;
  for (let line = 0; line < count; line += 1) matches += match(bytes, starts[line]!, ends[line]!)!.length;
  const seconds = (performance.now() - before) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  return { events: count, seconds, cpu_seconds: (user + system) / 1e6, matches };
}

function latency({ match }: RuleEngine, { bytes, count, starts, ends }: EventLines): unknown {
  const times = new Float64Array(count);
  for (let line = 0; line < count; line += 1) {
    const before = performance.now();
    match(bytes, starts[line]!, ends[line]!);
    times[line] = (performance.now() - before) * 1_000;
  }
  return percentiles(times);
}

function dump({ match }: RuleEngine, { bytes, count, starts, ends }: EventLines, file: string): unknown {
  const out = openSync(file, 'w');
  for (let line = 0; line < count; line += 1) {
    const ids = match(bytes, starts[line]!, ends[line]!)!.map(({ document }) => document.id);
    writeSync(
      out,
      ids
        .sort()
        .map((id) => `${line + 1}\t${id}\n`)
        .join(''),
    );
  }
  closeSync(out);
  return { dumped: true };
}
