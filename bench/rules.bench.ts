// `bench rules`: the matcher beside AWS event-ruler 2.0.1 on the same rules and events, in one run, one thread each; then the
// Sigma-shaped corpus, and rules that change while events are matched.
//
// Invariant: every match of both is compared first; a difference makes the run void, without figures and with exit code 1.
// Surprise: event-ruler gets ready-made strings and the best of its setups, Tocsin the bytes of the events and its default
// comparison of text, which ignores case.
//
// Usage: node bench/rules.bench.ts [quick] [race] [sigma] [changes] [--sizes 1,100] [--events 20000] [--rounds 7]
// [--warmup 15 (seconds of CPU time)]. Without a part all of them. Prints JSON.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { scratchFolder } from '@tocsin/testing/scratch.ts';
import { importSigma } from '@tocsin/topologies/domain/rules/import/sigma/import-sigma.ts';
import { type EventRulerSetup, eventRulerFolder, setups, startEventRuler } from './rules/event-ruler.ts';
import { measure, type Race, type RaceFiles, race, startTocsin } from './rules/race.ts';
import { sigmaEvents } from './rules/sigma-events.ts';
import { sigmaRules } from './rules/sigma-mix.ts';
import { eventBytes, socEvents } from './rules/soc-events.ts';
import { socRules, toPattern, toRule } from './rules/soc-rules.ts';
import type { Round } from './rules/subject.ts';

const targets = {
  ratio: 2,
  sigmaEventsPerSecond: 20_000,
  bytesPerRule: 400,
  buildMs: 3_000,
  eventP99Us: 5_000,
};
const parts = ['race', 'sigma', 'changes'] as const;

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
const wanted = parts.filter((part) => positionals.includes(part));
const runs = (part: (typeof parts)[number]): boolean => wanted.length === 0 || wanted.includes(part);
const sizes = (values.sizes ?? (quick ? '1,100,10000' : '1,100,10000,100000')).split(',').map(Number);
const eventCount = Number(values.events ?? (quick ? 5_000 : 20_000));
const plan = {
  rounds: Number(values.rounds ?? (quick ? 3 : 7)),
  warmupSeconds: Number(values.warmup ?? (quick ? 5 : 15)),
};
const say = (line: string): void => void process.stderr.write(`${line}\n`);

const scratch = scratchFolder('bench-rules');
const path = (name: string): string => join(scratch.path, name);
try {
  const races = runs('race') ? await runRaces() : [];
  const isVoid = races.some((one) => 'void' in one);
  const report = {
    benchmark: 'rules',
    date: new Date().toISOString(),
    machine: {
      cpu: cpus()[0]?.model,
      cores: cpus().length,
      memory_gb: Math.round(totalmem() / 2 ** 30),
      node: process.version,
    },
    ...(isVoid
      ? { void: true, differences: races.filter((one) => 'void' in one) }
      : {
          ...(runs('race') ? raceReport(races) : {}),
          ...(runs('sigma') ? { sigma: await runSigma() } : {}),
          ...(runs('changes') ? { changes: await runChanges() } : {}),
          targets,
        }),
  };
  console.log(JSON.stringify(report, null, 2));
  if (isVoid) process.exitCode = 1;
} finally {
  scratch.remove();
}

async function runRaces(): Promise<Race[]> {
  const folder = await eventRulerFolder(say);
  writeLines('events.jsonl', socEvents(eventCount));
  const setup = quick ? setups[0] : await bestSetup(folder, writeRules(10_000));
  const races: Race[] = [];
  for (const size of sizes) {
    say(`${size} rules`);
    races.push(await race(folder, writeRules(size), { setup, ...plan, imported: !quick }));
    say(JSON.stringify(races.at(-1)));
  }
  return races;
}

function raceReport(races: readonly Race[]): Record<string, unknown> {
  const finished = races.filter((one) => 'ratio' in one);
  const [base, largest] = [finished.find(({ rules }) => rules === 1), finished.at(-1)];
  return {
    events: eventCount,
    event_bytes: eventBytes,
    races: finished,
    bytes_per_rule:
      base === undefined || largest === undefined || largest.rules === 1
        ? null
        : Math.round((largest.tocsin.rss_bytes - base.tocsin.rss_bytes) / largest.rules),
    ratio_met: finished.every(({ ratio }) => ratio >= targets.ratio),
  };
}

async function runSigma(): Promise<Record<string, unknown>> {
  writeLines(
    'sigma.jsonl',
    sigmaRules(3_700).map((rule) => JSON.stringify(importSigma(rule, { actions: ['none'] }).rule)),
  );
  writeLines('windows.jsonl', sigmaEvents(quick ? 2_000 : 10_000));
  const subject = await startTocsin(path('sigma.jsonl'), 'tocsin', path('windows.jsonl'));
  try {
    const speed = await measure(subject, plan);
    const { events, matches } = await subject.ask<Round>('round');
    return {
      ...subject.built,
      ...speed,
      matches_per_event: Math.round((matches / events) * 100) / 100,
      event_us: await subject.ask('latency'),
    };
  } finally {
    await subject.stop();
  }
}

async function runChanges(): Promise<unknown> {
  writeLines('events.jsonl', socEvents(eventCount));
  const { rules } = writeRules(10_000);
  const child = fileURLToPath(new URL('./rules/changes.child.ts', import.meta.url));
  const args = [child, rules, path('events.jsonl'), '1000', quick ? '3' : '15'];
  return JSON.parse((await promisify(execFile)(process.execPath, args)).stdout);
}

function writeRules(size: number): RaceFiles {
  const rules = socRules(size);
  writeLines(
    'rules.jsonl',
    rules.map((rule) => JSON.stringify(toRule(rule))),
  );
  writeLines(
    'patterns.jsonl',
    rules.map((rule) => JSON.stringify({ id: rule.id, pattern: toPattern(rule) })),
  );
  return {
    rules: path('rules.jsonl'),
    patterns: path('patterns.jsonl'),
    events: path('events.jsonl'),
    scratch: scratch.path,
  };
}

function writeLines(name: string, texts: readonly string[]): void {
  writeFileSync(path(name), texts.map((text) => `${text}\n`).join(''));
}

/** The setup with which event-ruler is fastest here, at 10,000 rules. */
async function bestSetup(folder: string, { patterns, events }: RaceFiles): Promise<EventRulerSetup> {
  let best: { readonly setup: EventRulerSetup; readonly speed: number } | null = null;
  for (const setup of setups) {
    const subject = await startEventRuler(folder, setup, patterns, events);
    const { events_per_second: speed } = await measure(subject, { ...plan, rounds: 3 });
    await subject.stop();
    say(`event-ruler, ${setup.name}: ${speed} events/s`);
    if (best === null || speed > best.speed) best = { setup, speed };
  }
  return best!.setup;
}
