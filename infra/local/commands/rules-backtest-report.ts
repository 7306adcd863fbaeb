// A backtest as text for a terminal, or as JSON.
import { printable } from '@tocsin/topologies/domain/rules/explain/explain-text.ts';
import type { RuleRevision } from '@tocsin/topologies/domain/rules/parse-rule.ts';
import type { BacktestReport } from '@tocsin/topologies/run/backtest.ts';
import type { Sample, Side } from '@tocsin/topologies/run/backtest-tally.ts';

export interface BacktestFacts {
  readonly candidate: Omit<RuleRevision, 'revision'>;
  readonly live: RuleRevision | null;
  /** Epoch ms. */
  readonly from: number;
  readonly to: number;
  readonly topics: readonly string[];
}

const sides = ['both', 'onlyCandidate', 'onlyLive'] as const;
const titles = { both: 'both', onlyCandidate: 'only candidate', onlyLive: 'only live' } as const;

export function reportLines(facts: BacktestFacts, report: BacktestReport): string[] {
  const { candidate, live, from, to } = facts;
  const liveName =
    live === null ? 'none, everything is new' : `${live.document.id} revision ${live.revision}`;
  const skipped = [...report.notEvaluated].map(([reason, count]) => `${reason} ${count}`);
  return [
    `candidate  ${candidate.document.id}`,
    `live       ${liveName}`,
    `range      ${time(from)} to ${time(to)}`,
    `topics     ${facts.topics.join(', ')}`,
    `records    ${report.records}, of them events and rows ${report.subjects}${skipped.length > 0 ? `, not evaluated: ${skipped.join(', ')}` : ''}`,
    '',
    row(
      '',
      sides.map((side) => titles[side]),
    ),
    row(
      'matches',
      sides.map((side) => String(report[side].total)),
    ),
    ...grouped('type', report, ({ byType }) => byType),
    ...grouped('day', report, ({ byDay }) => byDay),
    ...sides.filter((side) => side !== 'both').flatMap((side) => sampleLines(titles[side], report[side])),
  ];
}

/** The same as an object of plain values. */
export function reportJson(facts: BacktestFacts, report: BacktestReport): Record<string, unknown> {
  const side = ({ total, byType, byDay, samples }: Side) => ({
    total,
    by_type: Object.fromEntries(byType),
    by_day: Object.fromEntries(byDay),
    samples: samples.map((sample) => ({ ...sample, timestamp: time(sample.timestamp) })),
  });
  return {
    candidate: facts.candidate.document.id,
    live: facts.live === null ? null : { id: facts.live.document.id, revision: facts.live.revision },
    from: time(facts.from),
    to: time(facts.to),
    topics: facts.topics,
    records: report.records,
    subjects: report.subjects,
    not_evaluated: Object.fromEntries(report.notEvaluated),
    both: side(report.both),
    only_candidate: side(report.onlyCandidate),
    only_live: side(report.onlyLive),
  };
}

function grouped(
  title: string,
  report: BacktestReport,
  of: (side: Side) => ReadonlyMap<string, number>,
): string[] {
  const names = new Set(sides.flatMap((side) => [...of(report[side]).keys()]));
  const ordered = title === 'day' ? [...names].sort() : [...names];
  return ordered.map((name) =>
    row(
      `${title} ${name}`,
      sides.map((side) => String(of(report[side]).get(name) ?? 0)),
    ),
  );
}

function row(title: string, cells: readonly string[]): string {
  return `${printable(title).slice(0, 60).padEnd(36)}${cells.map((cell) => cell.padStart(16)).join('')}`.trimEnd();
}

function sampleLines(title: string, { total, samples }: Side): string[] {
  if (samples.length === 0) return [];
  const shown = total > samples.length ? `${title}, the first ${samples.length} of ${total}:` : `${title}:`;
  return ['', shown, ...samples.map(sampleLine)];
}

function sampleLine({ topic, partition, offset, timestamp, id, type, row: index }: Sample): string {
  const at = `${topic}/${partition}/${offset}${index === undefined ? '' : ` row ${index}`}`;
  return printable(`  ${at}  ${time(timestamp)}  ${type}  ${id}`).slice(0, 300);
}

function time(at: number): string {
  return new Date(at).toISOString();
}
