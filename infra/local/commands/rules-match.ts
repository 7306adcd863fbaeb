// ./tocsin rules match: which rules match which lines of a file of events, and how fast, with the evaluator's own code.
//
// stdout carries JSON lines: first {"rules","build_ms","rss_bytes"}, then per round {"round","events_per_second","matches"}.
// --out takes `line<TAB>rule id` per match; lines count from 1, the rules of a line stand higher priority first, then by id.
// Invariant: only matching is timed, not reading and writing files; lines that are no events are counted and never fatal.
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import type { RuleRevision } from '@tocsin/topologies/domain/rules/parse-rule.ts';
import { createRuleEngine, type RuleEngine } from './rules-engine.ts';
import { type EventFile, type EventLines, openEvents } from './rules-events.ts';
import { type RulesIo, UsageError } from './rules-io.ts';
import { loadRules, type RuleFormat, ruleFormats } from './rules-load.ts';
import { collectGarbage } from './rules-memory.ts';

/** Lines whose matches are held until they are written. */
const blockLines = 1_024;
/** Problems of one kind that are shown one by one. */
const mostShown = 20;

interface MatchOptions {
  readonly rules: string;
  readonly format: RuleFormat;
  readonly events: string;
  readonly repeat: number;
  readonly out: string | null;
}

/** 0; 1 when a rule was left out. Lines that are no events are told on stderr and change nothing. */
export async function rulesMatch(args: readonly string[], io: RulesIo): Promise<number> {
  const options = readOptions(args);
  const loaded = await loadRules(options.rules, options.format);
  show(io, 'rule left out', loaded.problems);
  const before = performance.now();
  const engine = createRuleEngine(loaded.rules, { lists: loaded.lists, now: Date.now() });
  loaded.rules.length = 0;
  const buildMs = performance.now() - before;
  collectGarbage();
  io.out(
    JSON.stringify({
      rules: engine.size,
      build_ms: Math.round(buildMs * 10) / 10,
      rss_bytes: process.memoryUsage.rss(),
    }),
  );
  const events = await openEvents(options.events).catch((error: Error) => {
    throw new UsageError(`--events ${options.events}: ${error.message}`);
  });
  for (let round = 1; round <= options.repeat; round += 1) {
    const out = round === 1 && options.out !== null ? await createOut(options.out) : null;
    const result = await runRound(engine, events, out, round === 1 ? io : null);
    if (out !== null) await finished(out.end());
    const perSecond = result.seconds === 0 ? 0 : Math.round(result.events / result.seconds);
    io.out(JSON.stringify({ round, events_per_second: perSecond, matches: result.matches }));
  }
  return loaded.problems.length === 0 ? 0 : 1;
}

function readOptions(args: readonly string[]): MatchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rules: { type: 'string' },
      format: { type: 'string', default: 'tocsin' },
      events: { type: 'string' },
      repeat: { type: 'string', default: '1' },
      out: { type: 'string' },
    },
  });
  const { rules, events, format, out } = values;
  if (rules === undefined || events === undefined) throw new UsageError('--rules and --events are needed');
  if (!ruleFormats.includes(format as RuleFormat))
    throw new UsageError(`--format is one of ${ruleFormats.join(', ')}, not ${format}`);
  const repeat = Number(values.repeat);
  if (!Number.isInteger(repeat) || repeat < 1 || repeat > 100_000)
    throw new UsageError(`--repeat is a whole number from 1 to 100000, not ${values.repeat}`);
  return { rules, events, format: format as RuleFormat, repeat, out: out ?? null };
}

async function createOut(path: string): Promise<WriteStream> {
  const out = createWriteStream(path);
  await new Promise<void>((resolve, reject) => {
    out.once('open', () => resolve());
    out.once('error', (error) => reject(new UsageError(`--out: ${error.message}`)));
  });
  return out;
}

interface RoundResult {
  readonly events: number;
  readonly matches: number;
  /** Spent matching. */
  readonly seconds: number;
}

async function runRound(
  engine: RuleEngine,
  events: EventFile,
  out: WriteStream | null,
  io: RulesIo | null,
): Promise<RoundResult> {
  let [count, matches, ms] = [0, 0, 0];
  const invalid: string[] = [];
  let invalidCount = 0;
  const results: (readonly RuleRevision[] | null)[] = new Array(blockLines).fill(null);
  for await (const piece of events.pieces()) {
    for (let from = 0; from < piece.count; from += blockLines) {
      const to = Math.min(piece.count, from + blockLines);
      const before = performance.now();
      for (let line = from; line < to; line += 1)
        results[line - from] = engine.match(piece.bytes, piece.starts[line]!, piece.ends[line]!);
      ms += performance.now() - before;
      for (let line = from; line < to; line += 1) {
        const matched = results[line - from]!;
        if (matched !== null) {
          count += 1;
          matches += matched.length;
        } else if (!isBlank(piece, line)) {
          invalidCount += 1;
          if (io !== null && invalid.length < mostShown)
            invalid.push(
              `line ${piece.firstLine + line}: ${engine.reason(piece.bytes, piece.starts[line]!, piece.ends[line]!)}`,
            );
        }
      }
      if (out !== null) await write(out, textOf(results, to - from, piece.firstLine + from));
    }
  }
  if (io !== null) show(io, 'no event', invalid, invalidCount);
  return { events: count, matches, seconds: ms / 1000 };
}

function isBlank(piece: EventLines, line: number): boolean {
  return piece.starts[line] === piece.ends[line];
}

function textOf(
  results: readonly (readonly RuleRevision[] | null)[],
  count: number,
  firstLine: number,
): string {
  let text = '';
  for (let index = 0; index < count; index += 1)
    for (const { document } of results[index] ?? []) text += `${firstLine + index}\t${document.id}\n`;
  return text;
}

async function write(out: WriteStream, text: string): Promise<void> {
  if (text !== '' && !out.write(text)) await once(out, 'drain');
}

function show(io: RulesIo, what: string, problems: readonly string[], total = problems.length): void {
  for (const problem of problems.slice(0, mostShown)) io.err(`${what}: ${problem}`);
  if (total > mostShown) io.err(`${what}: ${total - mostShown} more`);
}
