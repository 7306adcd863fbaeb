// `bench rules`: the matcher beside AWS event-ruler 2.0.1 on the same rules and events, in one run, one thread each.
//
// Invariant: every match of both is compared first; a difference makes the run void, without figures and with exit code 1.
// Surprise: event-ruler gets ready-made strings and the best of its setups, Tocsin the bytes of the events and its default
// comparison of text, which ignores case.
//
// Usage: node bench/rules.bench.ts [quick] [--sizes 1,100] [--events 20000] [--rounds 5] [--warmup 6]. Prints JSON.
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { scratchFolder } from '@tocsin/testing/scratch.ts';
import { type EventRulerSetup, eventRulerFolder, setups, startEventRuler } from './rules/event-ruler.ts';
import { type Race, type RaceFiles, race, result, rounded, warmUp } from './rules/race.ts';
import { eventBytes, socEvents } from './rules/soc-events.ts';
import { socRules, toPattern, toRule } from './rules/soc-rules.ts';
import type { Round } from './rules/subject.ts';

const target = 2;
const say = (line: string): void => void process.stderr.write(`${line}\n`);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sizes: { type: 'string' },
    events: { type: 'string' },
    rounds: { type: 'string' },
    warmup: { type: 'string' },
  },
});
const quick = positionals.includes('quick');
const sizes = (values.sizes ?? (quick ? '1,100,10000' : '1,100,10000,100000')).split(',').map(Number);
const eventCount = Number(values.events ?? (quick ? 5_000 : 20_000));
const rounds = Number(values.rounds ?? (quick ? 3 : 7));
const warmupSeconds = Number(values.warmup ?? (quick ? 2 : 6));

const scratch = scratchFolder('bench-rules');
try {
  const folder = await eventRulerFolder(say);
  const events = join(scratch.path, 'events.jsonl');
  writeFileSync(events, lines(socEvents(eventCount)));
  const setup = quick ? setups[0] : await bestSetup(folder, writeRules(10_000, events));
  const races: Race[] = [];
  for (const size of sizes) {
    say(`${size} rules`);
    races.push(await race(folder, writeRules(size, events), { setup, warmupSeconds, rounds }));
    say(JSON.stringify(races.at(-1)));
  }
  const isVoid = races.some((one) => 'void' in one);
  const base = races.find((one) => one.rules === 1);
  const largest = races.at(-1);
  const bytesPerRule =
    base !== undefined &&
    largest !== undefined &&
    !('void' in base) &&
    !('void' in largest) &&
    largest.rules > 1
      ? Math.round((largest.tocsin.rss_bytes - base.tocsin.rss_bytes) / largest.rules)
      : null;
  const met = races.every((one) => 'ratio' in one && one.ratio >= target);
  console.log(
    JSON.stringify(
      {
        benchmark: 'rules',
        ...(isVoid ? { void: true } : {}),
        date: new Date().toISOString(),
        machine: {
          cpu: cpus()[0]?.model,
          cores: cpus().length,
          memory_gb: Math.round(totalmem() / 2 ** 30),
          node: process.version,
        },
        events: eventCount,
        event_bytes: eventBytes,
        races: isVoid ? races.filter((one) => 'void' in one) : races,
        ...(isVoid ? {} : { bytes_per_rule: bytesPerRule, target: { ratio: target, met } }),
      },
      null,
      2,
    ),
  );
  if (isVoid) process.exitCode = 1;
} finally {
  scratch.remove();
}

function writeRules(size: number, events: string): RaceFiles {
  const rules = socRules(size);
  const files = {
    rules: join(scratch.path, 'rules.jsonl'),
    patterns: join(scratch.path, 'patterns.jsonl'),
    events,
    scratch: scratch.path,
  };
  writeFileSync(files.rules, lines(rules.map((rule) => JSON.stringify(toRule(rule)))));
  writeFileSync(
    files.patterns,
    lines(rules.map((rule) => JSON.stringify({ id: rule.id, pattern: toPattern(rule) }))),
  );
  return files;
}

function lines(texts: readonly string[]): string {
  return texts.length === 0 ? '' : `${texts.join('\n')}\n`;
}

/** The setup with which event-ruler is fastest here, at 10,000 rules. */
async function bestSetup(folder: string, { patterns, events }: RaceFiles): Promise<EventRulerSetup> {
  let best: { setup: EventRulerSetup; speed: number } | null = null;
  for (const setup of setups) {
    const subject = await startEventRuler(folder, setup, patterns, events);
    await warmUp(subject, warmupSeconds);
    const measured: Round[] = [];
    for (let round = 0; round < 3; round += 1) measured.push(await subject.ask<Round>('round'));
    await subject.stop();
    const speed = result(measured).events_per_second;
    say(`event-ruler, ${setup.name}: ${rounded(speed)} events/s`);
    if (best === null || speed > best.speed) best = { setup, speed };
  }
  return best!.setup;
}
