// The report as data: what a command knows of its run, its event and its rows. Pure.
//
// Invariant: whatever shape the context of a command has, the report fits schemas/documents/report.json; what is of the wrong shape is
// left out, and a run without its steps is said to be so.
import type { Command, Report, ReportStep, ReportVote } from '@tocsin/schemas/types.ts';

type Json = Readonly<Record<string, unknown>>;
type Status = ReportStep['status'];

const ended: ReadonlySet<string> = new Set([
  'succeeded',
  'skipped',
  'failed',
  'rejected',
  'expired',
  'cancelled',
  'left',
] satisfies Status[]);
const begun: ReadonlySet<string> = new Set([
  'running',
  'delayed',
  'held',
  'retrying',
  'waiting',
  'open',
  'handling',
  'incident',
] satisfies Status[]);

export interface Facts {
  readonly report: Report;
  readonly warnings: readonly string[];
}

/** The report of a command at `now` (epoch ms). */
export function factsOf(command: Command, title: string, now: number): Facts {
  const { event, rows, total_rows, search } = command.subject;
  const context = recordOf(command.subject.context);
  const run = runOf(command, context);
  const outline = Array.isArray(context['outline']) ? context['outline'] : null;
  const report: Report = {
    schema: 'tocsin-report/v1',
    title,
    generated_at: timeOf(now) as string,
    command_id: command.command_id,
    ...(command.tenant === undefined ? {} : { tenant: command.tenant }),
    source: command.source,
    ...(command.rule === undefined ? {} : { rule: command.rule }),
    ...(run === null ? {} : { run }),
    ...(run === null || outline === null ? {} : { steps: stepsOf(outline, context) }),
    ...(event === undefined || Object.keys(event).length === 0 ? {} : { event }),
    ...(search === undefined ? {} : { search }),
    ...(rows === undefined ? {} : { rows }),
    ...(total_rows === undefined ? {} : { total_rows }),
  };
  const bare = run !== null && outline === null;
  return { report, warnings: bare ? ['the command does not carry the steps of its run'] : [] };
}

function runOf({ playbook }: Command, context: Json): NonNullable<Report['run']> | null {
  if (playbook === undefined) return null;
  const run = recordOf(context['run']);
  const { params, vars } = context;
  return {
    key: playbook.run,
    number: playbook.number,
    playbook: playbook.id,
    revision: playbook.revision,
    ...present({
      name: textOf(run['name']),
      status: textOf(run['status']),
      started_by: textOf(run['by']),
      started_at: textOf(run['started_at']),
      transitions: wholeOf(run['transitions']),
      params: isRecord(params) ? params : undefined,
      vars: isRecord(vars) ? vars : undefined,
    }),
  };
}

function stepsOf(outline: readonly unknown[], context: Json): ReportStep[] {
  const facts = recordOf(context['steps']);
  const open = (Array.isArray(context['open']) ? context['open'] : []).filter(isRecord);
  return outline.filter(isRecord).map((entry): ReportStep => {
    const id = textOf(entry['id']) ?? '';
    const fact = recordOf(Object.hasOwn(facts, id) ? facts[id] : undefined);
    const live = open.find(({ step }) => step === id);
    const status = statusOf(live?.['state'] ?? fact['status']);
    const over = ended.has(status);
    const votes = live?.['votes'] ?? fact['votes'];
    return {
      id,
      path: textOf(entry['path']) ?? id,
      ...present({ name: textOf(entry['name']) }),
      kind: textOf(entry['kind']) ?? 'step',
      ...present({ type: textOf(entry['type']) }),
      status,
      ...present({
        started_at: timeOf(live?.['since'] ?? fact['started_at']),
        ended_at: over ? timeOf(fact['at']) : undefined,
        due: timeOf(live?.['due']),
        tries: wholeOf(fact['tries']),
        code: textOf(fact['code']),
        detail: textOf(fact['detail']),
        command_id: textOf(fact['command_id']),
        votes: Array.isArray(votes) ? votes.filter(isRecord).flatMap(voteOf) : undefined,
      }),
      ...(fact['outputs'] === undefined ? {} : { outputs: fact['outputs'] as ReportStep['outputs'] }),
    };
  });
}

function voteOf(vote: Json): ReportVote[] {
  const { actor, verdict, at, comment } = vote;
  if (typeof actor !== 'string' || (verdict !== 'approve' && verdict !== 'reject')) return [];
  return [{ actor, verdict, ...present({ at: timeOf(at), comment: textOf(comment) }) }];
}

function statusOf(value: unknown): Status {
  return typeof value === 'string' && (ended.has(value) || begun.has(value))
    ? (value as Status)
    : 'not reached';
}

/** Without the members that have no value. */
function present<T extends object>(members: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function recordOf(value: unknown): Json {
  return isRecord(value) ? value : {};
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function wholeOf(value: unknown): number | undefined {
  return Number.isSafeInteger(value) ? (value as number) : undefined;
}

/** RFC 3339 of epoch ms. */
function timeOf(value: unknown): string | undefined {
  if (typeof value !== 'number') return undefined;
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
