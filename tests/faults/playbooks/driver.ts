// The world around the engine: starts runs, answers their commands, decides approvals, sends events, operates.
//
// Invariant: what is done about a run comes from the seed and the run alone, whatever the order in which things arrive; what the
// driver sends is repeated until the log has acknowledged it. Redelivered commands are answered again, as a worker's ledger does.
import { systemClock } from '@tocsin/adapters/clock/system.ts';
import type { Command, RunInput } from '@tocsin/schemas/types.ts';
import { engineTopics } from '@tocsin/testing/playbook-engine.ts';
import { isOver } from '@tocsin/topologies/domain/playbooks/machine/state.ts';
import { createRandom, type Random } from '@tocsin/topologies/domain/playbooks/simulation/random.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import type { RecordBatch } from '@tocsin/topologies/ports/log.ts';
import { createOutbox } from '@tocsin/topologies/run/outbox.ts';
import { mix } from './definitions.ts';
import { stateOf, storedRuns } from './record.ts';
import { commands, pause, type Stage } from './stage.ts';

export interface Driver {
  /** Keys whose start is in the log. */
  readonly started: readonly string[];
  /** Start to first command, ms, by run. */
  readonly latencies: ReadonlyMap<string, number>;
  /** Resolves when the start is acknowledged. Answers the key. */
  start(playbook: string, data?: Readonly<Record<string, unknown>>, key?: string): Promise<string>;
  send(key: string, input: RunInput): Promise<void>;
  /** So many runs of the mix, spread evenly over `ms`. */
  load(runs: number, ms: number): Promise<void>;
  /** Waits until every run is over and nothing more will be sent, at most so long; operators resume and cancel what needs it. Answers what is open. */
  settle(timeoutMs?: number): Promise<readonly string[]>;
  stop(): Promise<void>;
}

const people = [
  { actor: 'alice', roles: [] },
  { actor: 'bob', roles: [] },
  { actor: 'carol', roles: ['lead'] },
  { actor: 'mallory', roles: ['guest'] },
  { actor: 'starter', roles: ['lead'] },
];

/** An input and after how many ms it comes. */
type Later = readonly [ms: number, input: RunInput];

/** FNV-1a, so that every name has random numbers of its own. */
function numberOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

export async function startDriver(
  stage: Stage,
  { seed, prefix, operators = false }: { seed: number; prefix: string; operators?: boolean },
): Promise<Driver> {
  const { client } = stage;
  const producer = client.producer();
  const outbox = createOutbox({ producer, clock: systemClock, logger: fakeLogger(), maxRetryMs: 300 });
  const randomOf = (name: string): Random => createRandom(seed ^ numberOf(name));
  const started: string[] = [];
  const startedAt = new Map<string, number>();
  const latencies = new Map<string, number>();
  const tokens = new Map<string, string[]>();
  const timers = new Set<NodeJS.Timeout>();
  let numbers = 0;

  const send = (key: string, input: RunInput): Promise<void> =>
    outbox.send([{ topic: engineTopics.runs.name, key, value: JSON.stringify(input) }]);
  function later(ms: number, key: string, input: RunInput): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      void send(key, input).catch(() => undefined);
    }, ms);
    timers.add(timer);
  }

  /** What comes back for a command, and after how many ms. */
  function answersTo(command: Command, known: readonly string[], attempt: number): Later[] {
    const random = randomOf(command.command_id);
    const result = (status: 'succeeded' | 'failed', of = attempt): RunInput => ({
      kind: 'result',
      command_id: command.command_id,
      token: known[of - 1] as string,
      attempt: of,
      status,
      ...(status === 'succeeded' ? { output: { key: 'SEC-1', n: of } } : { code: 'timeout' }),
    });
    if (command.playbook?.step.startsWith('fails#') === true) return [[50, result('failed')]];
    switch (random.below(8)) {
      case 0:
        return [
          [random.below(100), result('succeeded')],
          [random.below(600), result('succeeded')],
        ];
      // The first try fails, and says so once more after the second one was sent and after it has ended.
      case 1:
        return attempt === 1
          ? [[20, result('failed')]]
          : [
              [20, result('failed', 1)],
              [200, result('succeeded')],
              [400, result('failed', 1)],
            ];
      // The first try is said to have failed, and then to have succeeded after all; both once more.
      case 2:
        return attempt === 1
          ? [[20, result('failed')]]
          : [
              [10, result('succeeded', 1)],
              [150, result('succeeded')],
              [300, result('succeeded', 1)],
              [350, result('succeeded')],
            ];
      case 3:
        return [[1_000 + random.below(600), result('succeeded')]];
      default:
        return [[random.below(150), result('succeeded')]];
    }
  }

  function answer(command: Command): void {
    const { command_id, reply_to } = command;
    if (reply_to === undefined) return;
    const { key, token } = reply_to;
    const start = startedAt.get(key);
    if (start !== undefined && !latencies.has(key)) latencies.set(key, performance.now() - start);
    const known = tokens.get(command_id) ?? [];
    if (!known.includes(token)) known.push(token);
    tokens.set(command_id, known);
    for (const [ms, input] of answersTo(command, known, known.indexOf(token) + 1)) later(ms, key, input);
  }

  /** Votes of people who may and may not, some twice, some after the gate has closed. */
  function vote(token: string, key: string): void {
    const random = randomOf(token);
    const votes = random.below(7);
    for (let n = 0; n < votes; n++) {
      const { actor, roles } = random.pick(people);
      const verdict = random.pick(['approve', 'approve', 'approve', 'approve', 'reject'] as const);
      const decision: RunInput = {
        kind: 'decision',
        token,
        decision_id: `d${n}`,
        actor,
        roles: [...roles],
        verdict,
      };
      const ms = random.below(5_000);
      later(ms, key, decision);
      if (random.chance(30)) later(ms + random.below(50), key, decision);
    }
  }

  /** What an operator does to some of the runs. */
  function operate(key: string): void {
    const random = randomOf(`operate ${key}`);
    if (!random.chance(30)) return;
    const at = random.below(3_000);
    const by = 'op';
    const cancel: RunInput = { kind: 'cancel', by, compensate: random.chance(50) };
    const pauses: RunInput = { kind: 'pause', by, extend: random.chance(50) };
    const deeds: readonly (readonly Later[])[] = [
      [[at, cancel]],
      [
        [at, pauses],
        [at + random.below(1_000), cancel],
      ],
      [
        [at, pauses],
        [at + 300, { kind: 'resume', by }],
      ],
      [[at, { kind: 'retry', by }]],
    ];
    for (const [ms, input] of random.pick(deeds)) later(ms, key, input);
  }

  const table = async (topic: string, take: (batch: RecordBatch, index: number) => void) => {
    const admin = client.admin();
    const from = await admin.endOffsets(topic);
    await admin.close();
    const reader = client.table({
      topic,
      from,
      onBatch: (batch) => {
        for (let index = 0; index < batch.count; index++)
          if (batch.key(index)?.toString().startsWith(prefix) === true) take(batch, index);
      },
    });
    await reader.start();
    return reader;
  };
  const readers = [
    await table(commands, (batch, index) => answer(JSON.parse(String(batch.value(index))) as Command)),
    await table(engineTopics.events.name, (batch, index) => {
      const { event, data } = JSON.parse(String(batch.value(index))) as {
        event: string;
        data: { token: string; run: string };
      };
      if (event === 'approval.requested') vote(data.token, data.run);
    }),
  ];

  async function start(
    playbook: string,
    data: Readonly<Record<string, unknown>> = {},
    key = `${prefix}${numbers++}`,
  ): Promise<string> {
    const event = { id: key, event: 'finding.new', data: { id: key, hosts: ['a', 'b', 'c'], ...data } };
    startedAt.set(key, performance.now());
    await send(key, {
      kind: 'start',
      playbook,
      revision: 1,
      by: 'starter',
      source: { id: key, kind: 'event', topic: 'findings.v1', partition: 0, offset: 1 },
      event,
    });
    started.push(key);
    if (playbook === 'scan') {
      const scan = { id: `scan ${key}`, event: 'scan.completed', data: {} };
      const input: RunInput = { kind: 'event', correlation: key, event: scan };
      const random = randomOf(`scan ${key}`);
      const times = random.below(3);
      for (let n = 0; n < times; n++) later(random.pick([0, 10, 1_500, 4_000]), key, input);
    }
    if (operators) operate(key);
    return key;
  }

  return {
    started,
    latencies,
    start,
    send,
    load(runs, ms) {
      const loading = (async () => {
        const began = performance.now();
        const starts: Promise<string>[] = [];
        for (let n = 0; n < runs; n++) {
          const one = start(mix[n % mix.length] as string);
          one.catch(() => undefined);
          starts.push(one);
          await pause(Math.max(0, began + (ms * (n + 1)) / runs - performance.now()));
        }
        await Promise.all(starts);
      })();
      // Whoever waits for it hears of a failure; a scenario that failed before must not end the process with this one.
      loading.catch(() => undefined);
      return loading;
    },
    async settle(timeoutMs = 60_000) {
      const deadline = performance.now() + timeoutMs;
      let open: string[] = started.slice();
      while (open.length > 0 || timers.size > 0) {
        if (performance.now() > deadline) break;
        await pause(250);
        const stored = await storedRuns(stage).catch(() => new Map());
        open = started.filter((key) => {
          const run = stored.get(key);
          return run === undefined || !isOver(stateOf(run).status);
        });
        for (const key of open) {
          const run = stored.get(key);
          if (timers.size > 0) continue;
          // A partition without inputs does not notice that the store has lost its states; any input makes it look.
          if (run === undefined) {
            await send(key, { kind: 'resume', by: 'op' });
            continue;
          }
          const state = stateOf(run);
          if (state.paused !== undefined) await send(key, { kind: 'resume', by: 'op' });
          else if (state.status === 'incident') await send(key, { kind: 'cancel', by: 'op' });
        }
      }
      return open;
    },
    async stop() {
      for (const timer of timers) clearTimeout(timer);
      for (const reader of readers) await reader.stop();
      outbox.stop();
      await producer.close();
    },
  };
}
