// The table at the end of the demo, and the verdict: does every input have an outcome?
import { readdirSync, readFileSync } from 'node:fs';
import type { LogClient } from '@tocsin/topologies/ports/log.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import { percentile, readTopic, type SeenRecord } from './observe.ts';
import { type PlayedRun, timelineOf } from './playbooks.ts';
import type { Receivers } from './receivers.ts';
import { scrape } from './scrape.ts';
import { type Final, verdict } from './verdict.ts';

export interface ReportInput {
  readonly client: LogClient;
  readonly urls: Readonly<Record<string, string>>;
  readonly receivers: Receivers;
  /** File of the `log` action. */
  readonly logFile: string;
  /** Folder of the `report` action. */
  readonly reports: string;
  readonly runs: readonly PlayedRun[];
}

/** Prints the report; true when nothing is missing and nothing came twice. */
export async function printReport(input: ReportInput): Promise<boolean> {
  const { client, urls, receivers, logFile, runs } = input;
  const findings = await readTopic(client, topics.findings.name);
  const searches = await readTopic(client, topics.searchResults.name);
  const letters = await readTopic(client, topics.deadLetters.name);
  const results = (await readTopic(client, topics.results.name)).map(
    ({ value }) => JSON.parse(value) as Final,
  );
  const matches = await scrape(urls['evaluator'] ?? '', 'tocsin_rule_matches_total');
  const commands = await scrape(urls['evaluator'] ?? '', 'tocsin_commands_total');
  const { webhook, mail, slack, jira, hec, bulk, syslog } = receivers;
  const lines = readFileSync(logFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '').length;
  const verified = webhook.requests.filter((request) => request.verified === true).length;
  const latencies = latenciesOf(receivers, findings);

  print('came in', [
    [topics.findings.name, `${findings.length} records`],
    [topics.searchResults.name, `${searches.length} run, ${rowsOf(searches)} rows`],
  ]);
  print(
    'rules that fired',
    matches.map(({ labels, value }) => [labels['rule'] ?? '', `${value} times`]),
  );
  print('receivers got', [
    [
      'webhook',
      `${webhook.requests.length} requests, ${verified} with a valid signature, ${webhook.duplicates().size} twice`,
    ],
    ['mail', `${mail.mails.length} messages`],
    ['Slack', `${slack.messages.length} messages`],
    ['Jira', `${jira.jira.refs().length} issues, ${jira.requests.length} requests`],
    ['log file', `${lines} lines`],
    ['Splunk HEC', `${hec.events.length} events in ${hec.requests.length} requests`],
    ['Elastic _bulk', `${bulk.documents.size} documents in ${bulk.requests.length} requests`],
    ['syslog (CEF)', `${syslog.messages.length} messages`],
  ]);
  print(
    'playbook runs',
    runs.map(({ run }) => [`${run.playbook} ${run.status}`, `${run.asset_name}: ${run.title}`]),
  );
  const [longest] = [...runs].sort((a, b) => b.history.length - a.history.length);
  if (longest !== undefined)
    print(`timeline of the run about ${longest.run.asset_name}`, timelineOf(longest));
  const files = readdirSync(input.reports);
  print('reports', [[input.reports, `${files.length} files`]]);
  print(
    'dead letters',
    letters.map(({ headers }) => [
      `${headers['x-dlq-service']}: ${headers['x-dlq-reason']}`,
      `${headers['x-dlq-source']} ${headers['x-dlq-error']}`,
    ]),
  );
  print('finding in Kafka to webhook received', [
    ['p50', `${percentile(latencies, 0.5).toFixed(0)} ms`],
    ['p99', `${percentile(latencies, 0.99).toFixed(0)} ms (a burst of ${findings.length} at once)`],
  ]);
  print(
    'look at',
    Object.entries(urls).map(([name, url]) => [
      name,
      name === 'config-api' ? `${url}/docs` : `${url}/metrics`,
    ]),
  );
  const checks = verdict({ findings, letters, results, commands, receivers, runs, files });
  print(
    'verdict',
    checks.map(({ text, ok }) => [ok ? 'ok' : 'WRONG', text]),
  );
  return checks.every(({ ok }) => ok);
}

function print(title: string, rows: readonly (readonly string[])[]): void {
  const width = Math.max(0, ...rows.map(([name]) => (name ?? '').length));
  console.log(`\n${title}`);
  for (const [name = '', text = ''] of rows) console.log(`  ${name.padEnd(width)}  ${text}`);
}

function rowsOf(searches: readonly SeenRecord[]): number {
  return searches.reduce((sum, { value }) => sum + (JSON.parse(value) as { rows: unknown[] }).rows.length, 0);
}

/** Kafka's record time to the receiver's clock, ms, for webhooks whose body is the event itself. */
function latenciesOf({ webhook }: Receivers, findings: readonly SeenRecord[]): number[] {
  const writtenAt = new Map<string, number>();
  for (const { value, timestamp } of findings)
    try {
      const { id, data } = JSON.parse(value) as { id?: string; data: { finding_id: string } };
      writtenAt.set(id ?? data.finding_id, timestamp);
    } catch {
      // The record that is broken on purpose.
    }
  return webhook.requests.flatMap(({ body, at }) => {
    const event = JSON.parse(body.toString('utf8')) as { id?: string; data?: { finding_id?: string } };
    const written = writtenAt.get(event.id ?? event.data?.finding_id ?? '');
    return written === undefined ? [] : [at - written];
  });
}
