// The whole system in memory with a virtual clock: configuration in, findings in, every record and every effect out.
//
// It runs the same runners, flows, actions and decisions as the services do; only the ports are twins.
import type { ConfigRecord, Playbook, PlaybookVersion } from '@tocsin/schemas/types.ts';
import { actions } from '../actions/registry.ts';
import { allTopics } from '../all-topics.ts';
import { type ConfigDocument, configKey, createConfigFold } from '../domain/config/config-table.ts';
import { versionOf } from '../domain/playbooks/version-of.ts';
import { actionFlows } from '../flows/actions.ts';
import { collectorFlow } from '../flows/collector.ts';
import { evaluatorFlow } from '../flows/evaluator.ts';
import { actionGroup } from '../groups.ts';
import { fakeClock } from '../ports/fakes/clock.ts';
import { fakeDatabase } from '../ports/fakes/database.ts';
import { fakeEffects } from '../ports/fakes/effects.ts';
import { fakeFoldStore } from '../ports/fakes/fold-store.ts';
import { type FakeAnswer, fakeHttp } from '../ports/fakes/http.ts';
import { fakeLineLog } from '../ports/fakes/line-log.ts';
import { fakeLog } from '../ports/fakes/log.ts';
import { fakeLogger } from '../ports/fakes/logger.ts';
import { fakeMail } from '../ports/fakes/mail.ts';
import { fakeMetrics } from '../ports/fakes/metrics.ts';
import { fakeSecrets } from '../ports/fakes/secrets.ts';
import { fakeSyslog } from '../ports/fakes/syslog.ts';
import type { HttpRequest } from '../ports/http.ts';
import type { LogConsumer, OutRecord } from '../ports/log.ts';
import { createCollector } from '../run/collector.ts';
import { createConnectionLookup, laneSettingsOf } from '../run/connections.ts';
import { createDecider } from '../run/decide.ts';
import { evaluatorTables } from '../run/evaluator-tables.ts';
import { createTimers } from '../run/fold/timers.ts';
import { createOutbox } from '../run/outbox.ts';
import { createPerformer, type Performer } from '../run/perform.ts';
import { createPlaybookConsumers } from '../run/playbooks/consumers.ts';
import { recordsOf } from '../run/records.ts';
import { createSinkDecode } from '../run/sink-decode.ts';
import { createFleet } from '../run/sink-fleet.ts';
import { commandTopic, type Topic, topics } from '../topics.ts';
import { knownVersions } from './versions.ts';

export interface DriveOptions {
  /** Rules, actions, connections, playbooks and so on, each at revision 1. An invalid one fails the call. */
  readonly documents: readonly ConfigDocument[];
  readonly secrets?: Readonly<Record<string, string>>;
  /** Published versions of playbooks besides those of `documents`. An invalid one fails the call. */
  readonly playbooks?: readonly PlaybookVersion[];
  /** What HTTP receivers answer, webhook and SIEM alike; 200 without it. */
  readonly http?: FakeAnswer | ((request: HttpRequest) => FakeAnswer);
}

/** Starts all flows; nothing moves until `settle` or `advance`. */
export async function startDrive(options: DriveOptions) {
  const clock = fakeClock();
  const log = fakeLog({ clock, topics: Object.fromEntries(allTopics().map((topic) => [topic.name, 2])) });
  const metrics = fakeMetrics();
  const logger = fakeLogger();
  const effects = fakeEffects();
  const states = fakeFoldStore();
  let claims = 0;
  const outbox = (): ReturnType<typeof createOutbox> =>
    createOutbox({ producer: log.producer(), clock, logger });
  const ports = {
    http: fakeHttp(options.http ?? 200),
    mail: fakeMail(),
    lineLog: fakeLineLog(),
    database: fakeDatabase(),
    records: recordsOf(outbox()),
    clock,
  };
  const stopping = new AbortController();
  const { table: config, apply: applyRecord } = createConfigFold();
  const { tables, apply: follow, learn } = evaluatorTables(config, 1);
  const versions = knownVersions(options.playbooks ?? []);
  learn(options.playbooks ?? []);

  const performers = new Map<string, Performer>();

  /** Puts one revision of a document into force. */
  function configure(document: ConfigDocument, revision = 1): void {
    const record: ConfigRecord = {
      v: 1,
      revision,
      updated_at: 0,
      document: document as unknown as ConfigRecord['document'],
    };
    const applied = applyRecord(configKey(document.kind, document.id), record);
    if (applied.problem !== undefined) throw new Error(applied.problem);
    const problems = follow([document]);
    if (problems.length > 0) throw new Error(problems.join('\n'));
    if (document.kind === 'connection')
      for (const performer of performers.values()) performer.connectionChanged(document.id);
    if (document.kind === 'playbook') publish(document, revision);
  }
  /** As the config API does when it saves one; a draft is not published. */
  function publish(document: Playbook, revision: number): void {
    const playbooks = new Map([...config.playbooks].map(([id, held]) => [id, held.revision]));
    const { version, issues } = versionOf({ document, revision, actions: config.actions, playbooks });
    if (version === null && document.enabled !== false) throw new Error(JSON.stringify(issues));
    if (version === null) return;
    versions.publish(version);
    learn([version]);
  }
  /** Deletes a document. */
  function remove(kind: ConfigDocument['kind'], id: string): void {
    const { change } = applyRecord(configKey(kind, id), null);
    if (change !== undefined) follow([change]);
  }
  const order = { connection: 0, action: 1, sink: 2, list: 3, playbook: 4, rule: 5 };
  for (const document of [...options.documents].sort((a, b) => order[a.kind] - order[b.kind]))
    configure(document);

  const common = { clock, metrics, logger, signal: stopping.signal };
  const fail = (error: Error): never => {
    throw error;
  };
  const evaluator = (): LogConsumer =>
    log.consumer({
      group: evaluatorFlow.group?.id ?? '',
      topics: evaluatorFlow.reads.map((topic) => topic.name),
      handler: createDecider({
        ...common,
        service: 'evaluator',
        inputs: evaluatorFlow.reads,
        tables: () => tables,
        schemas: null,
        outbox: outbox(),
      }),
      onFailure: fail,
    });
  const collector = (): LogConsumer => {
    const parts = { ...common, client: log, outbox: outbox() };
    const { service } = collectorFlow;
    const consumer: LogConsumer = log.consumer({
      group: collectorFlow.group?.id ?? '',
      topics: collectorFlow.reads.map((topic) => topic.name),
      handler: createCollector({
        ...parts,
        consumer: () => consumer,
        store: states,
        timers: createTimers({
          ...parts,
          service,
          input: topics.collections.name,
          onFailure: fail,
          maxSleepMs: 86_400_000,
        }),
        newToken: () => `claim-${++claims}`,
      }),
      onFailure: fail,
    });
    return consumer;
  };
  const worker = (type: keyof typeof actions): LogConsumer => {
    const own = { ...common, service: `actions/${type}`, outbox: outbox(), onFailure: fail };
    const performer = createPerformer({
      ...own,
      action: actions[type],
      ports,
      effects,
      timers: createTimers({ ...own, client: log, input: commandTopic(type).name }),
      connection: createConnectionLookup(() => config, fakeSecrets(options.secrets ?? {})),
      laneSettings: laneSettingsOf(() => config, actions[type].manifest.lane),
    });
    performers.set(type, performer);
    return log.consumer({
      group: actionGroup(type).id,
      topics: actionFlows
        .filter((flow) => flow.title === type)
        .flatMap((flow) => flow.reads.map((topic) => topic.name)),
      handler: performer,
      onFailure: fail,
    });
  };

  /** Both folds in one process, as in the service: what it does dies with it. */
  function playbooks(): LogConsumer[] {
    const { runs, correlations } = createPlaybookConsumers({
      ...common,
      client: log,
      store: states,
      outbox: outbox(),
      versions,
      newToken: () => `claim-${++claims}`,
      onFailure: fail,
      maxSleepMs: 86_400_000,
    });
    return [correlations, runs];
  }
  let folds = playbooks();

  const types = Object.keys(actions) as (keyof typeof actions)[];
  const consumers = new Map<string, LogConsumer>([
    ['evaluator', evaluator()],
    ['collector', collector()],
    ...types.map((type) => [type, worker(type)] as const),
  ]);
  for (const consumer of [...consumers.values(), ...folds]) await consumer.start();
  const fleet = createFleet({
    ...common,
    client: log,
    ports: { http: ports.http, syslog: fakeSyslog() },
    hostName: 'tocsin',
    secrets: fakeSecrets(options.secrets ?? {}),
    letters: outbox(),
    decode: createSinkDecode(null),
    random: () => 0.5,
  });
  await fleet.apply(config);

  return {
    log,
    metrics,
    logger,
    effects,
    /** States of folds; may lose what it holds. */
    states,
    versions,
    ...ports,
    configure,
    remove,
    /** Appends one record, as a producer would. */
    async publish(topic: Topic, value: unknown, key: string | null = null): Promise<void> {
      const bytes = typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value);
      const record: OutRecord = { topic: topic.name, key, value: bytes };
      await log.producer().send([record]);
    },
    /** Lets everything that can happen now happen, then `ms` pass. */
    advance: (ms = 0) => clock.advance(ms),
    /** Values of a topic as JSON. */
    read: (topic: Topic): unknown[] => log.records(topic.name).map(({ value }) => JSON.parse(String(value))),
    /** kill -9 of one service, and a new one in its place. */
    async crash(name: 'evaluator' | 'collector' | 'playbooks' | keyof typeof actions): Promise<void> {
      if (name === 'playbooks') {
        for (const consumer of folds) await log.crash(consumer);
        folds = playbooks();
        for (const consumer of folds) await consumer.start();
        return;
      }
      await log.crash(consumers.get(name)!);
      const next = name === 'evaluator' ? evaluator() : name === 'collector' ? collector() : worker(name);
      consumers.set(name, next);
      await next.start();
    },
    async stop(): Promise<void> {
      stopping.abort();
      for (const consumer of [...consumers.values(), ...folds]) await consumer.stop();
      await fleet.stop();
    },
  };
}
