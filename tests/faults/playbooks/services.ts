// The services that carry playbooks out, as processes on real servers, with the destinations that their steps reach.
//
// Invariant: `stop` ends every process and removes the data. Runs are started as the evaluator would: an input in the topic of runs.
import { systemClock } from '@tocsin/adapters/clock/system.ts';
import { openMigratedDatabase } from '@tocsin/adapters/postgres/open-database.ts';
import { connectRedis } from '@tocsin/adapters/redis/connect.ts';
import type { Playbook, PlaybookVersion, Result, RunInput } from '@tocsin/schemas/types.ts';
import { type JiraReceiver, startJiraReceiver } from '@tocsin/testing/receivers/jira.ts';
import { type SmtpReceiver, startSmtpReceiver } from '@tocsin/testing/receivers/smtp.ts';
import { startWebhookReceiver, type WebhookReceiver } from '@tocsin/testing/receivers/webhook.ts';
import { isOver } from '@tocsin/topologies/domain/playbooks/machine/state.ts';
import { compileVersion } from '@tocsin/topologies/domain/playbooks/parse-playbook.ts';
import type { Program } from '@tocsin/topologies/domain/playbooks/program.ts';
import { actionGroup, groups } from '@tocsin/topologies/groups.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import { commandTopic, topics } from '@tocsin/topologies/topics.ts';
import { httpConnection, mailConnection } from '../documents.ts';
import { type Process, type System, startSystem } from '../system.ts';
import { type Reading, readTopic, type Stored, until, untilIdle } from '../topic.ts';
import { type Ground, stateOf, storedRuns } from './record.ts';

export interface Services extends Ground {
  readonly system: System;
  readonly actions: Process;
  /** Of connection `ill`, which a test lets misbehave, and of `well`. */
  readonly ill: WebhookReceiver;
  readonly well: WebhookReceiver;
  readonly mail: SmtpReceiver;
  readonly jira: JiraReceiver;
  readonly programs: ReadonlyMap<string, Program>;
  /** Resolves when the start is in the log. */
  start(playbook: string, key: string): Promise<void>;
  /** Waits until these runs are over and nothing more will be sent. Answers those that are not after `timeoutMs`. */
  settle(keys: readonly string[], timeoutMs?: number): Promise<readonly string[]>;
  stop(): Promise<void>;
}

/** Answers to mails and to what Jira writes take so long, ms: who is to be killed before an answer is killed in this time. */
const answerDelayMs = 60;
/** A search of Jira finds an issue so late, ms: later than a worker that was killed comes back and looks for it the first time. */
const indexLagMs = 6_000;
/** Attempts at one time of a connection that says nothing, see connection.json. */
export const httpConcurrency = 8;
/** One mail at a time, so that a kill leaves one in doubt at most. */
const mailConcurrency = 1;

const toHook = (id: string, connection: string): Playbook['steps'][number] => ({
  id,
  action: { type: 'webhook', connection, params: { path: `/${id}`, body: { run: '{{finding.id}}' } } },
  timeout: 'PT1S',
});

const toMail = (id: string, onUncertain?: 'hold'): Playbook['steps'][number] => ({
  id,
  action: {
    type: 'email',
    connection: 'mail',
    params: { to: 'soc@example.com', subject: `${id} {{finding.id}}`, body: 'See the issue.' },
    ...(onUncertain === undefined ? {} : { on_uncertain: onUncertain }),
  },
  onError: 'continue',
});

const toJira = (id: string, params: Record<string, unknown>): Playbook['steps'][number] => ({
  id,
  action: { type: 'jira', connection: 'jira', params },
});

const playbooks: readonly Playbook[] = [
  { kind: 'playbook', id: 'to-ill', steps: [toHook('first', 'ill'), toHook('second', 'ill')] },
  { kind: 'playbook', id: 'to-well', steps: [toHook('ask', 'well'), toHook('tell', 'well')] },
  {
    kind: 'playbook',
    id: 'respond',
    steps: [
      toMail('letter', 'hold'),
      {
        ...toJira('issue', { project: 'SEC', summary: '{{finding.id}}' }),
        outputs: { key: { $: 'result.output.key' } },
      },
      toJira('note', {
        operation: 'comment',
        ref: '{{steps.issue.outputs.key}}',
        comment: 'Run {{finding.id}}',
      }),
      // A mail in doubt is sent again, as the type does by itself.
      toMail('notice'),
    ],
  },
];

const types = ['webhook', 'email', 'jira'] as const;
export const readings: Readonly<Record<(typeof types)[number] | 'runs', Reading>> = {
  webhook: { group: actionGroup('webhook').id, topics: [commandTopic('webhook').name] },
  email: { group: actionGroup('email').id, topics: [commandTopic('email').name] },
  jira: { group: actionGroup('jira').id, topics: [commandTopic('jira').name] },
  runs: { group: groups.runs.id, topics: [topics.runs.name] },
};

export async function startServices(): Promise<Services> {
  const [ill, well, mail, jira] = await Promise.all([
    startWebhookReceiver(),
    startWebhookReceiver(),
    startSmtpReceiver(),
    startJiraReceiver({ lagMs: indexLagMs, answerDelayMs }),
  ]);
  mail.always({ answerDelayMs });
  const closing: (() => unknown)[] = [ill, well, mail, jira].map((receiver) => () => receiver.close());
  const stop = async (): Promise<void> => {
    for (const close of closing.reverse()) await close();
  };
  try {
    const system = await startSystem({ env: { JIRA_TOKEN: 'faults-token' } });
    closing.push(() => system.stop());
    system.configure([
      httpConnection('ill', ill.port),
      httpConnection('well', well.port),
      httpConnection('jira', jira.port, {
        auth: { type: 'bearer' },
        secrets: { token: { env: 'JIRA_TOKEN' } },
      }),
      mailConnection(mail.port, { concurrency: mailConcurrency }),
      ...playbooks,
    ]);
    await migrate(system);
    const [actions] = await Promise.all([
      system.service('actions', { ACTIONS: types.join(',') }),
      system.service('playbooks'),
    ]);
    const programs = await programsOf(system);
    const redis = connectRedis({ url: system.env['REDIS_URL'] ?? '', name: 'faults', logger: fakeLogger() });
    closing.push(() => redis.disconnect());
    const producer = system.client.producer();
    closing.push(() => producer.close());
    const ground: Ground = {
      client: system.client,
      redis,
      partitions: topics.runs.partitions,
      commands: types.map((type) => commandTopic(type).name),
    };
    return {
      ...ground,
      system,
      actions,
      ill,
      well,
      mail,
      jira,
      programs,
      async start(playbook, key) {
        const input: RunInput = {
          kind: 'start',
          playbook,
          revision: programs.get(playbook)?.version.revision ?? 0,
          by: 'starter',
          source: { id: key, kind: 'event', topic: topics.findings.name, partition: 0, offset: 1 },
          event: { id: key, event: 'finding.new', data: { id: key } },
        };
        await producer.send([{ topic: topics.runs.name, key, value: JSON.stringify(input) }]);
      },
      async settle(keys, timeoutMs = 60_000) {
        let open = keys;
        const over = async (): Promise<boolean> => {
          const stored = await storedRuns(ground);
          open = keys.filter((key) => {
            const run = stored.get(key);
            return run === undefined || !isOver(stateOf(run).status);
          });
          return open.length === 0;
        };
        await until('all runs are over', over, timeoutMs, 250).catch(() => undefined);
        if (open.length === 0) await untilIdle(system.client, Object.values(readings), timeoutMs);
        return open;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** As the config API would, which is not needed here. */
async function migrate(system: System): Promise<void> {
  const database = await openMigratedDatabase({
    connectionString: system.env['DATABASE_URL'] ?? '',
    applicationName: 'faults',
    logger: fakeLogger(),
    clock: systemClock,
    signal: new AbortController().signal,
  });
  await database.close();
}

/** Those that the service has published. */
async function programsOf(system: System): Promise<ReadonlyMap<string, Program>> {
  const versions = await readTopic(system.client, topics.playbookVersions.name);
  return new Map(
    versions.flatMap(({ value }) => {
      if (value === null) return [];
      const { program, issues } = compileVersion(JSON.parse(String(value)) as PlaybookVersion);
      if (program === null) throw new Error(JSON.stringify(issues));
      return [[program.version.document.id, program] as const];
    }),
  );
}

/** Records about runs whose key begins with `prefix`. */
export async function recordsOf(world: Services, topic: string, prefix: string): Promise<Stored[]> {
  const records = await readTopic(world.client, topic);
  return records.filter(({ key, value }) => value !== null && key?.startsWith(prefix) === true);
}

/** Of these runs: every result, and by command the one that ended it. */
export async function resultsOf(
  world: Services,
  prefix: string,
): Promise<{ readonly all: readonly Result[]; readonly ends: ReadonlyMap<string, Result> }> {
  const all = (await readTopic(world.client, topics.results.name))
    .map(({ value }) => JSON.parse(String(value)) as Result)
    .filter(({ source }) => String(source['id']).startsWith(prefix));
  // A suppressed one repeats what another one said.
  const ends = all.filter(({ final, status }) => final && status !== 'suppressed');
  return { all, ends: new Map(ends.map((result) => [result.command_id, result])) };
}
