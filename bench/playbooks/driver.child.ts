// The rest of the world of `bench playbooks`: starts runs, and answers every command with a result, as action workers do.
//
// Invariant: with a rate the starts come at their times whatever the engine does (open loop); without one, so many runs are at work
// at a time. Latency counts from the call that sends the start to the first command in this process.
//
// Arguments: prefix of run keys, runs, most at a time, starts per second (0: as many as fit), step that gets no answer ('' : none).
import { setTimeout as delay } from 'node:timers/promises';
import { openLogClient, parseLogSettings } from '@tocsin/adapters/log/client.ts';
import { engineTopics } from '@tocsin/testing/playbook-engine.ts';
import type { OutRecord, RecordBatch } from '@tocsin/topologies/ports/log.ts';
import { benchProgram, commandsTopic, startInput } from './playbook.ts';

export interface DriverReport {
  /** Before the first start, epoch ms. */
  readonly beganAt: number;
  /** To the last command. */
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly commands: number;
  /** Commands beyond the first of the same id. */
  readonly duplicates: number;
  /** Start to first command, by run. */
  readonly latenciesMs: readonly number[];
}

const [prefix = '', ...rest] = process.argv.slice(2);
const [runs = 0, atATime = 0, rate = 0] = rest.map(Number);
const silentStep = rest[3] ?? '';
const program = benchProgram();
const client = await openLogClient(parseLogSettings(process.env, 'bench-driver'));
const producer = client.producer();
const admin = client.admin();
const ends = await admin.endOffsets(commandsTopic.name);
await admin.close();

const startedAt = new Float64Array(runs);
const latenciesMs: number[] = [];
const seen = new Set<string>();
let commands = 0;
let duplicates = 0;
let finished = 0;
let wake: () => void = () => undefined;

/** The last command of a run that gets one; after its answer a place is free. */
const lastStep = silentStep === '' ? 'report#0' : `${silentStep}#0`;

interface SeenCommand {
  readonly command_id: string;
  readonly reply_to: { topic: string; partition: number; key: string; token: string };
  readonly playbook: { readonly step: string };
}

function answers(batch: RecordBatch): OutRecord[] {
  const results: OutRecord[] = [];
  for (let index = 0; index < batch.count; index++) {
    const command = JSON.parse(String(batch.value(index))) as SeenCommand;
    const { topic, partition, key, token } = command.reply_to;
    if (!key.startsWith(prefix)) continue;
    commands += 1;
    if (seen.has(command.command_id)) duplicates += 1;
    seen.add(command.command_id);
    const { step } = command.playbook;
    if (step === 'notify#0')
      latenciesMs.push(performance.now() - startedAt[Number(key.slice(prefix.length))]!);
    if (step === lastStep) {
      finished += 1;
      if (finished % 50 === 0 || finished === runs) wake();
      if (silentStep !== '') continue;
    }
    const value = JSON.stringify({
      kind: 'result',
      command_id: command.command_id,
      token,
      attempt: 1,
      status: 'succeeded',
      output: { key: `SEC-${key.slice(prefix.length)}`, persists: true },
    });
    results.push({ topic, partition, key, value });
  }
  return results;
}

const reader = client.table({
  topic: commandsTopic.name,
  from: ends,
  onBatch: (batch) => {
    const results = answers(batch);
    if (results.length > 0) void producer.send(results);
  },
});
await reader.start();

async function start(from: number, to: number): Promise<void> {
  const records: OutRecord[] = [];
  const now = performance.now();
  for (let n = from; n < to; n++) {
    startedAt[n] = now;
    records.push({ topic: engineTopics.runs.name, key: `${prefix}${n}`, value: startInput(program, n) });
  }
  await producer.send(records);
}

const cpu = process.cpuUsage();
const began = performance.now();
const beganAt = Date.now();
if (rate > 0) {
  const tickMs = 10;
  for (let tick = 1, n = 0; n < runs; tick++) {
    const until = Math.min(runs, Math.floor((tick * rate * tickMs) / 1000));
    if (until > n) void start(n, until);
    n = until;
    await delay(Math.max(0, began + tick * tickMs - performance.now()));
  }
} else {
  for (let n = 0; n < runs; ) {
    const room = Math.min(runs - n, atATime - (n - finished));
    if (room > 0) {
      await start(n, n + room);
      n += room;
    } else
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  }
}
while (finished < runs) await delay(5);
const { user, system } = process.cpuUsage(cpu);
const report: DriverReport = {
  beganAt,
  seconds: (performance.now() - began) / 1000,
  cpuSeconds: (user + system) / 1e6,
  commands,
  duplicates,
  latenciesMs,
};
await reader.stop();
await producer.close();
process.send?.(report, () => process.exit(0));
