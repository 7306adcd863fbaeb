// Both engines on the same rules and events, in one run, one at a time: matches compared, then rounds in turn.
//
// Invariant: a run in which the two do not match exactly the same is void and has no figures.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Difference, firstDifference } from './compare.ts';
import { type EventRulerBuilt, type EventRulerSetup, startEventRuler } from './event-ruler.ts';
import { median, type Percentiles } from './percentiles.ts';
import { type Round, type Subject, startSubject } from './subject.ts';
import type { TocsinBuilt } from './tocsin.child.ts';

export interface RaceFiles {
  /** Rules of Tocsin and patterns of event-ruler with one meaning, and events; JSON lines. */
  readonly rules: string;
  readonly patterns: string;
  readonly events: string;
  /** For the matches. */
  readonly scratch: string;
}

export interface RacePlan {
  readonly setup: EventRulerSetup;
  readonly warmupSeconds: number;
  readonly rounds: number;
  /** Also run the patterns themselves, imported, and compare their matches. */
  readonly imported: boolean;
}

export interface Result {
  readonly events_per_second: number;
  readonly events_per_cpu_second: number;
}

export type Race =
  | { readonly rules: number; readonly void: Difference }
  | {
      readonly rules: number;
      readonly matches_per_event: number;
      /** Tocsin over event-ruler, of wall time; median of the pairs of rounds. */
      readonly ratio: number;
      readonly ratio_cpu: number;
      readonly tocsin: Result & {
        readonly load_ms: number;
        readonly build_ms: number;
        readonly rss_bytes: number;
        readonly event_us: Percentiles;
      };
      /** The patterns read by `--format eventbridge`. */
      readonly tocsin_imported?: Result;
      readonly event_ruler: Result & {
        readonly setup: string;
        readonly build_ms: number;
        readonly bytes_per_rule: number;
      };
    };

export async function race(folder: string, files: RaceFiles, plan: RacePlan): Promise<Race> {
  const tocsin = await startTocsin(files.rules, 'tocsin', files.events);
  try {
    const ruler = await startEventRuler(folder, plan.setup, files.patterns, files.events);
    try {
      return await compete(tocsin, ruler, files, plan);
    } finally {
      await ruler.stop();
    }
  } finally {
    await tocsin.stop();
  }
}

export function startTocsin(rules: string, format: string, events: string): Promise<Subject<TocsinBuilt>> {
  const child = fileURLToPath(new URL('./tocsin.child.ts', import.meta.url));
  return startSubject(process.execPath, [child, rules, format, events]);
}

async function compete(
  tocsin: Subject<TocsinBuilt>,
  ruler: Subject<EventRulerBuilt>,
  files: RaceFiles,
  plan: RacePlan,
): Promise<Race> {
  const { rules } = tocsin.built;
  const [mine, theirs] = [join(files.scratch, 'tocsin.tsv'), join(files.scratch, 'event-ruler.tsv')];
  await tocsin.ask(`dump ${mine}`);
  await ruler.ask(`dump ${theirs}`);
  const difference = firstDifference(mine, theirs);
  if (difference !== null) return { rules, void: difference };
  const imported = plan.imported ? await runImported(files, plan, theirs) : null;
  if (imported !== null && 'void' in imported) return { rules, void: imported.void };
  await warmUp(ruler, plan.warmupSeconds);
  await warmUp(tocsin, plan.warmupSeconds);
  const pairs: { own: Round; other: Round }[] = [];
  for (let round = 0; round < plan.rounds; round += 1)
    pairs.push({ own: await tocsin.ask<Round>('round'), other: await ruler.ask<Round>('round') });
  const [first] = pairs;
  if (pairs.some(({ own, other }) => own.matches !== other.matches || own.matches !== first!.own.matches))
    throw new Error('a round gave another number of matches');
  const ratioOf = (cost: (round: Round) => number): number =>
    rounded(median(pairs.map(({ own, other }) => cost(other) / cost(own))));
  return {
    rules,
    matches_per_event: rounded(first!.own.matches / first!.own.events),
    ratio: ratioOf(({ seconds }) => seconds),
    ratio_cpu: ratioOf((round) => round.cpu_seconds),
    tocsin: {
      ...result(pairs.map(({ own }) => own)),
      load_ms: tocsin.built.load_ms,
      build_ms: tocsin.built.build_ms,
      rss_bytes: tocsin.built.rss_bytes,
      event_us: await tocsin.ask<Percentiles>('latency'),
    },
    ...(imported === null ? {} : { tocsin_imported: imported }),
    event_ruler: {
      setup: plan.setup.name,
      ...result(pairs.map(({ other }) => other)),
      build_ms: ruler.built.build_ms,
      bytes_per_rule: Math.round(ruler.built.heap_bytes / rules),
    },
  };
}

async function runImported(
  files: RaceFiles,
  plan: RacePlan,
  theirs: string,
): Promise<Result | { readonly void: Difference }> {
  const subject = await startTocsin(files.patterns, 'eventbridge', files.events);
  try {
    const matches = join(files.scratch, 'imported.tsv');
    await subject.ask(`dump ${matches}`);
    const difference = firstDifference(matches, theirs);
    return difference === null ? await measure(subject, plan) : { void: difference };
  } finally {
    await subject.stop();
  }
}

/** Warmed up, then so many rounds. */
export async function measure(
  subject: Subject<unknown>,
  { warmupSeconds, rounds }: Pick<RacePlan, 'warmupSeconds' | 'rounds'>,
): Promise<Result> {
  await warmUp(subject, warmupSeconds);
  const measured: Round[] = [];
  for (let round = 0; round < rounds; round += 1) measured.push(await subject.ask<Round>('round'));
  return result(measured);
}

/** Rounds until so many seconds of CPU time are spent, so that compilers had their turn however busy the machine is. */
async function warmUp(subject: Subject<unknown>, seconds: number): Promise<void> {
  for (let spent = 0; spent < seconds; ) spent += (await subject.ask<Round>('round')).cpu_seconds;
}

function result(rounds: readonly Round[]): Result {
  return {
    events_per_second: Math.round(median(rounds.map(({ events, seconds }) => events / seconds))),
    events_per_cpu_second: Math.round(median(rounds.map(({ events, cpu_seconds }) => events / cpu_seconds))),
  };
}

export function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
