// Collects the books of a run from the topics and the receivers, and shows the verdict.
import { setTimeout as delay } from 'node:timers/promises';
import type { Command, Result } from '@tocsin/schemas/types.ts';
import type { HecReceiver } from '@tocsin/testing/receivers/hec.ts';
import type { SmtpReceiver } from '@tocsin/testing/receivers/smtp.ts';
import type { WebhookReceiver } from '@tocsin/testing/receivers/webhook.ts';
import { actionGroup, groups, sinkGroup } from '@tocsin/topologies/groups.ts';
import { type LogClient, LogError, type LogProducer } from '@tocsin/topologies/ports/log.ts';
import { commandTopic, topics } from '@tocsin/topologies/topics.ts';
import {
  type Books,
  type Delivery,
  type Input,
  judge,
  lineOf,
  type Outcome,
  type Verdict,
} from './checker.ts';
import type { LoadRecord } from './load.ts';
import { type Reading, readTopic } from './topic.ts';

export interface Receivers {
  readonly webhook?: WebhookReceiver;
  readonly mail?: SmtpReceiver;
  readonly hec?: HecReceiver;
}

export const readings = {
  evaluator: {
    group: groups.evaluator.id,
    topics: [topics.findings.name, topics.searchResults.name, topics.events.name],
  },
  webhook: { group: actionGroup('webhook').id, topics: [commandTopic('webhook').name] },
  email: { group: actionGroup('email').id, topics: [commandTopic('email').name] },
  recorder: { group: groups.recorder.id, topics: [topics.results.name] },
  sink: { group: sinkGroup('siem').id, topics: [topics.findings.name] },
} as const satisfies Record<string, Reading>;

type KeyedValue = Pick<LoadRecord, 'key' | 'value'>;

/** Writes the records as any producer would. */
export async function publish(client: LogClient, records: readonly KeyedValue[]): Promise<void> {
  const producer = client.producer();
  try {
    await send(producer, records);
  } finally {
    await producer.close();
  }
}

// A producer that was told of a failure sends the same again, as any producer would while a broker restarts.
async function send(producer: LogProducer, records: readonly KeyedValue[]): Promise<void> {
  const out = records.map(({ key, value }) => ({ topic: topics.findings.name, key, value }));
  for (const deadline = performance.now() + 60_000; ; ) {
    try {
      return await producer.send(out);
    } catch (error) {
      if (!(error instanceof LogError && error.retriable) || performance.now() > deadline) throw error;
      await delay(100);
    }
  }
}

/** Publishes a few records at a time for as long as `slowly` says, and then what is left: load while faults happen. */
export function feed(
  client: LogClient,
  records: readonly KeyedValue[],
  slowly: () => boolean,
  pace: { readonly count: number; readonly everyMs: number } = { count: 25, everyMs: 300 },
): { readonly done: Promise<void>; left(): number } {
  let from = 0;
  const run = async (): Promise<void> => {
    const producer = client.producer();
    while (from < records.length) {
      const to = slowly() ? from + pace.count : records.length;
      await send(producer, records.slice(from, to));
      from = to;
      if (slowly()) await delay(pace.everyMs);
    }
    await producer.close();
  };
  return { done: run(), left: () => Math.max(0, records.length - from) };
}

/** The verdict about the inputs of one run; what other runs on the same servers left behind is not looked at. */
export async function verdictOf(
  client: LogClient,
  written: readonly LoadRecord[],
  receivers: Receivers,
): Promise<Verdict> {
  return judge(
    await collect(
      client,
      written.map(({ input }) => input),
      receivers,
    ),
  );
}

/** Prints the one line of a run. */
export function show(title: string, verdict: Verdict, more = ''): void {
  process.stdout.write(`${title}: ${lineOf(verdict)}${more === '' ? '' : ` ${more}`}\n`);
}

export async function collect(
  client: LogClient,
  inputs: readonly Input[],
  { webhook, mail, hec }: Receivers,
): Promise<Books> {
  const run = runOf(inputs[0]?.id ?? '');
  const ours = (input: string): boolean => runOf(input) === run;
  const json = async <T>(topic: string): Promise<T[]> =>
    (await readTopic(client, topic)).map(({ value }) => JSON.parse(String(value)) as T);
  const commands: Delivery[] = [];
  // What a timer wrote is a command that was there before.
  for (const type of ['webhook', 'email'])
    for (const record of await json<Command | { readonly kind: 'timer' }>(commandTopic(type).name))
      if (!('kind' in record)) commands.push({ commandId: record.command_id, input: record.source.id });
  const outcomes: (Outcome & { input: string })[] = (await json<Result>(topics.results.name)).map(
    (result) => ({
      input: String(result.source['id']),
      commandId: result.command_id,
      status: result.status,
      final: result.final,
      attempt: result.attempt,
      startedAt: result.started_at,
      possibleDuplicate: result.possible_duplicate === true,
      ...(result.code === undefined ? {} : { code: result.code }),
    }),
  );
  const commandIds = new Set(inputs.flatMap(({ hits }) => hits.map(({ commandId }) => commandId)));
  const letters = (await readTopic(client, topics.deadLetters.name))
    .map(({ key, headers }) => ({
      // Class input comes from whoever cannot read a record: the evaluator, and each sink.
      stage: headers['x-dlq-service']?.startsWith('sinks') ? 'sink' : (headers['x-dlq-class'] ?? ''),
      ...(headers['x-dlq-command-id'] === undefined ? {} : { commandId: headers['x-dlq-command-id'] }),
      ...(key === null ? {} : { input: key }),
    }))
    .filter(({ commandId, input }) =>
      commandId === undefined ? ours(input ?? '') : commandIds.has(commandId),
    );
  const received: Delivery[] = [
    ...(webhook?.requests ?? []).map(({ id, body }) => ({
      commandId: id,
      input: (JSON.parse(body.toString('utf8')) as { id: string }).id,
    })),
    ...(mail?.mails ?? []).map(({ parsed }) => ({
      commandId: /^<([^@]*)@/.exec(parsed.messageId ?? '')?.[1] ?? '',
      input: parsed.subject ?? '',
    })),
  ];
  return {
    inputs,
    commands: commands.filter(({ input }) => ours(input)),
    outcomes: outcomes.filter(({ input }) => ours(input)),
    letters,
    received: received.filter(({ input }) => ours(input)),
    forwarded:
      hec === undefined
        ? null
        : hec.events.map(({ event }) => (event as { id: string }).id).filter((id) => ours(id)),
  };
}

function runOf(id: string): string {
  return id.slice(0, id.lastIndexOf('-'));
}
