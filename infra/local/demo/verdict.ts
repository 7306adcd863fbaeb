// Does every input of the demo have an outcome, and exactly one? The books of both sides side by side.
import { severityRank } from '@tocsin/topologies/domain/rules/severity.ts';
import type { SeenRecord } from './observe.ts';
import type { PlayedRun } from './playbooks.ts';
import type { Receivers } from './receivers.ts';
import type { Sample } from './scrape.ts';

/** A result as results.v1 has it. */
export interface Final {
  readonly command_id: string;
  readonly type: string;
  readonly status: string;
  readonly final: boolean;
  readonly trigger: string;
  readonly output?: { readonly files?: readonly { readonly name: string }[] };
}

export interface Books {
  readonly findings: readonly SeenRecord[];
  readonly letters: readonly SeenRecord[];
  readonly results: readonly Final[];
  /** tocsin_commands_total of the evaluator. */
  readonly commands: readonly Sample[];
  readonly receivers: Receivers;
  readonly runs: readonly PlayedRun[];
  /** Names of the files of reports. */
  readonly files: readonly string[];
}

export interface Check {
  readonly text: string;
  readonly ok: boolean;
}

/** What has to hold, with its figures. */
export function verdict(books: Books): Check[] {
  return [...actionChecks(books), ...sinkChecks(books), ...playbookChecks(books), deadLetterCheck(books)];
}

function actionChecks({ commands, results, receivers }: Books): Check[] {
  const { webhook, slack, jira } = receivers;
  const decided = commands.reduce((sum, { value }) => sum + value, 0);
  const ended = endedBy(results, 'rule');
  const verified = webhook.requests.filter((request) => request.verified === true).length;
  const [webhooks, chats] = [succeeded(results, 'webhook'), succeeded(results, 'slack')];
  const posted = jira.requests.filter(({ method, path }) => method === 'POST' && path.endsWith('/issue'));
  return [
    { text: `${decided} commands decided, ${ended} have an outcome`, ok: decided === ended && decided > 0 },
    {
      text: `${webhooks} webhooks succeeded, ${webhook.requests.length} arrived, ${verified} verified`,
      ok: webhooks === webhook.requests.length && webhooks === verified,
    },
    {
      text: `${chats} chat messages succeeded, ${slack.messages.length} arrived`,
      ok: chats === slack.messages.length && chats > 0,
    },
    {
      text: `${posted.length} tickets asked for, ${jira.jira.refs().length} made`,
      ok: posted.length === jira.jira.refs().length && posted.length > 0,
    },
  ];
}

function sinkChecks(books: Books): Check[] {
  const { findings, receivers } = books;
  const { hec, bulk, syslog } = receivers;
  const all = (sink: string, where: string, count: number): Check => {
    const letters = lettersOf(books, `sinks/${sink}`);
    return {
      text: `${findings.length} findings = ${count} in ${where} + ${letters} dead letter`,
      ok: findings.length === count + letters,
    };
  };
  const severe = findings.filter(({ value }) => !isRatedBelow('high', value)).length;
  return [
    all('splunk', 'Splunk', hec.events.length),
    all('elastic', 'Elastic', bulk.documents.size),
    {
      text: `${severe} events of high severity and above, or without one = ${syslog.messages.length} CEF messages, ${syslog.broken()} broken`,
      ok: severe === syslog.messages.length && syslog.broken() === 0,
    },
  ];
}

function playbookChecks({ runs, results, files }: Books): Check[] {
  const sent = runs.flatMap(({ history }) => history.filter(({ what }) => what === 'command')).length;
  const completed = runs.filter(({ run }) => run.status === 'completed').length;
  const ended = endedBy(results, 'playbook');
  const named = new Set(
    results.flatMap(({ type, output }) =>
      type === 'report' ? (output?.files ?? []).map(({ name }) => name) : [],
    ),
  );
  return [
    {
      text: `${runs.length} playbook runs, ${completed} completed, ${sent} commands, ${ended} have an outcome`,
      ok: runs.length > 0 && completed === runs.length && sent === ended,
    },
    {
      text: `${named.size} report files named in results, ${files.length} in the folder`,
      ok: named.size === files.length && files.every((file) => named.has(file)),
    },
  ];
}

function deadLetterCheck(books: Books): Check {
  const letters = lettersOf(books, 'evaluator');
  return { text: `${letters} broken record is in the evaluator's dead letters`, ok: letters === 1 };
}

function endedBy(results: readonly Final[], trigger: string): number {
  const ended = results.filter((result) => result.final && result.trigger === trigger);
  return new Set(ended.map(({ command_id }) => command_id)).size;
}

function succeeded(results: readonly Final[], wanted: string): number {
  return results.filter(({ type, status }) => type === wanted && status === 'succeeded').length;
}

function lettersOf({ letters }: Books, service: string): number {
  return letters.filter(({ headers }) => headers['x-dlq-service'] === service).length;
}

/** A record that is no JSON is no event at all, and so below everything. */
function isRatedBelow(severity: string, event: string): boolean {
  try {
    const { data } = JSON.parse(event) as { data?: { severity?: string } };
    const rank = severityRank(data?.severity ?? '');
    return rank !== undefined && rank < (severityRank(severity) ?? 0);
  } catch {
    return true;
  }
}
