// Scripts on a whole system: kill -9 of the worker and of the agent while a script runs, and playbook runs that give theirs up.
//
// Invariant: whatever dies, a script is begun once; its end is told by the agent, or nobody knows it and it is held.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command, Result } from '@tocsin/schemas/types.ts';
import {
  agentToken,
  linesOf,
  startAgent,
  type TestAgent,
  writeScript,
} from '@tocsin/testing/script-agent.ts';
import { eventCommand } from '@tocsin/topologies/testing/fixtures.ts';
import { commandTopic, topics } from '@tocsin/topologies/topics.ts';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Process, type System, startSystem } from './system.ts';
import { readTopic, until } from './topic.ts';

vi.setConfig({ testTimeout: 120_000 });

let system: System;
let agent: TestAgent;
let worker: Process;
let folder: string;
let config: Parameters<typeof startAgent>[1];

beforeAll(async () => {
  system = await startSystem();
  folder = join(system.home, 'agent');
  mkdirSync(folder);
  const counting = '#!/bin/sh\necho "$$ $TOCSIN_COMMAND_ID" >> "$1"\nsleep "$2"\necho done >> "$1"';
  config = { kill_after_ms: 1_000, scripts: { count: { path: writeScript(folder, 'count.sh', counting) } } };
  agent = await startAgent(folder, config);
  writeFileSync(join(folder, 'worker-token'), agentToken);
  const step = (name: string, more: object) => ({
    kind: 'playbook',
    id: name,
    steps: [
      {
        id: 'contain',
        action: {
          type: 'script',
          connection: 'app1',
          params: { script: 'count', arguments: ['{{finding.mark}}', '60'] },
        },
        ...more,
      },
    ],
  });
  system.configure([
    {
      kind: 'connection',
      id: 'app1',
      type: 'script-host',
      host: '127.0.0.1',
      port: agent.port,
      protocol: 'http',
      allow_insecure: true,
      allow_cidrs: ['127.0.0.0/8'],
      secrets: { token: { file: join(folder, 'worker-token') } },
    },
    step('contain', {}),
    step('in-time', { deadline: 'PT3S' }),
  ]);
  // It makes the tables.
  await system.service('config-api', { CONFIG_DIR: '' });
  worker = await system.service('actions', { ACTIONS: 'script' });
  await system.service('playbooks');
}, 180_000);

afterAll(async () => {
  await agent?.kill();
  // Scripts that an agent left behind when it was killed.
  for (const name of readdirSync(folder).filter((each) => each.endsWith('.mark'))) {
    const pid = Number(linesOf(join(folder, name))[0]?.split(' ')[0]);
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
  await system?.stop();
});

const mark = (name: string): string => join(folder, `${name}.mark`);
let number = 0;

/** Sends a command whose script notes its begin and its end in the file; answers its id once the script has begun. */
async function begin(name: string, seconds: number): Promise<string> {
  const command: Command = eventCommand({
    type: 'script',
    command_id: (++number).toString(16).padStart(32, '0'),
    connection: 'app1',
    grants: ['action:script'],
    params: { script: 'count', arguments: [mark(name), String(seconds)] },
  });
  const producer = system.client.producer();
  await producer.send([
    { topic: commandTopic('script').name, key: command.command_id, value: JSON.stringify(command) },
  ]);
  await producer.close();
  await until('the script begins', async () => linesOf(mark(name)).length > 0, 30_000);
  return command.command_id;
}

async function finalOf(id: string): Promise<Result> {
  let found: Result | undefined;
  await until(
    `the end of ${id}`,
    async () => {
      for (const { key, value } of await readTopic(system.client, topics.results.name)) {
        const result = JSON.parse(String(value)) as Result;
        if (key === id && result.final) found = result;
      }
      return found !== undefined;
    },
    60_000,
  );
  return found as Result;
}

test('kill -9 of the worker while its script runs: the next one asks, and tells the end', async () => {
  const id = await begin('worker', 6);
  await worker.kill();
  await worker.start();
  expect(await finalOf(id)).toMatchObject({
    status: 'succeeded',
    possible_duplicate: true,
    output: { exit_code: 0, truncated: false },
  });
  expect(linesOf(mark('worker'))).toEqual([expect.stringContaining(id), 'done']);
});

test('kill -9 of worker and agent: nobody knows the end, it is held and not begun again', async () => {
  const id = await begin('both', 600);
  await worker.kill();
  await agent.kill();
  agent = await startAgent(folder, config, agent.port);
  await worker.start();
  expect(await finalOf(id)).toMatchObject({ status: 'held', code: 'uncertain' });
  expect(linesOf(mark('both'))).toEqual([expect.stringContaining(id)]);
});

test('an agent that is away while it is asked, and whose journal is gone: held as well', async () => {
  const id = await begin('gone', 3);
  await worker.kill();
  await agent.stop();
  rmSync(join(folder, 'state'), { recursive: true });
  agent = await startAgent(folder, config, agent.port);
  await worker.start();
  expect(await finalOf(id)).toMatchObject({ status: 'held', code: 'uncertain' });
  expect(linesOf(mark('gone')).length).toBe(1);
});

/** Of the revision that the service has made of a file. */
async function revisionOf(playbook: string): Promise<number> {
  const keys = (await readTopic(system.client, topics.playbookVersions.name)).map(({ key }) => key ?? '');
  return Number(keys.find((key) => key.startsWith(`${playbook}@`))?.split('@')[1]);
}

async function startRun(playbook: string, name: string): Promise<void> {
  const producer = system.client.producer();
  const start = {
    kind: 'start',
    playbook,
    revision: await revisionOf(playbook),
    event: { id: name, event: 'finding.new', data: { mark: mark(name) } },
    source: { id: name, kind: 'event', topic: 'findings.v1', partition: 0, offset: 0 },
    by: 'test',
  };
  await producer.send([{ topic: topics.runs.name, key: name, value: JSON.stringify(start) }]);
  await producer.close();
  await until('the script of the run begins', async () => linesOf(mark(name)).length > 0, 60_000);
}

const changesOf = async (run: string): Promise<Record<string, unknown>[]> =>
  (await readTopic(system.client, topics.runEvents.name)).flatMap(({ key, value }) =>
    key === run ? (JSON.parse(String(value)) as { changes: Record<string, unknown>[] }).changes : [],
  );

test.each([
  ['contain', 'cancelled', true],
  ['in-time', 'failed', false],
])('B12: the script of a run that ends before it is stopped: %s', async (playbook, status, cancel) => {
  const run = `run-${playbook}`;
  await startRun(playbook, run);
  const [pid = '', id = ''] = linesOf(mark(run))[0]?.split(' ') ?? [];
  if (cancel) {
    const producer = system.client.producer();
    await producer.send([
      { topic: topics.runs.name, key: run, value: JSON.stringify({ kind: 'cancel', by: 'ann' }) },
    ]);
    await producer.close();
  }
  expect(await finalOf(id)).toMatchObject({
    status: 'failed',
    code: 'cancelled_uncertain',
    output: { stopped: { by: 'cancel' } },
  });
  expect(existsSync(`/proc/${pid}/cmdline`) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : '').toBe('');
  expect(linesOf(mark(run)).length).toBe(1);
  await until(
    'the run hears of the end',
    async () => (await changesOf(run)).some(({ what }) => what === 'ignored'),
    30_000,
  );
  expect(await changesOf(run)).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ what: 'step', step: 'contain', status, code: 'cancelled_uncertain' }),
      expect.objectContaining({ what: 'run', status }),
      expect.objectContaining({ what: 'ignored', input: 'result', code: 'cancelled_uncertain' }),
    ]),
  );
});
