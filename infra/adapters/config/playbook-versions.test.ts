// Versions from the topic: compiled when asked for, bad ones named, missing ones published once.
import type { PlaybookVersion } from '@tocsin/schemas/types.ts';
import { fakeClock } from '@tocsin/topologies/ports/fakes/clock.ts';
import { fakeLog } from '@tocsin/topologies/ports/fakes/log.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import { fakeMetrics } from '@tocsin/topologies/ports/fakes/metrics.ts';
import { memoryBatch } from '@tocsin/topologies/ports/fakes/record-batch.ts';
import type { LogClient } from '@tocsin/topologies/ports/log.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import { expect, test } from 'vitest';
import { createPlaybookVersions } from './playbook-versions.ts';

const topic = topics.playbookVersions.name;

function version(id: string, revision: number, action = 'log'): PlaybookVersion {
  return {
    v: 1,
    revision,
    document: { kind: 'playbook', id, steps: [{ id: 'a', action }] },
    actions: { log: { revision: 1, document: { kind: 'action', id: 'log', type: 'log', params: {} } } },
    playbooks: {},
  };
}

function setup(other?: LogClient) {
  const clock = fakeClock();
  const client = fakeLog({ clock, topics: { [topic]: 1 } });
  const parts = { metrics: fakeMetrics(), logger: fakeLogger() };
  const versions = createPlaybookVersions({
    client: other ?? client,
    producer: client.producer(),
    ...parts,
    onFailure: (error) => {
      throw error;
    },
  });
  const seen: string[] = [];
  versions.onVersions((fresh) =>
    seen.push(...fresh.map(({ document, revision }) => `${document.id}@${revision}`)),
  );
  const put = (key: string, value: unknown) =>
    client
      .producer()
      .send([{ topic, key, value: typeof value === 'string' ? value : JSON.stringify(value) }]);
  return { clock, client, versions, seen, put, ...parts };
}

test('what is in the topic at the start is known, later versions too; the same object each time', async () => {
  const { versions, seen, put, metrics, clock } = setup();
  await put('p@1', version('p', 1));
  await put('p@2', version('p', 2));
  await versions.start();
  expect(seen).toEqual(['p@1', 'p@2']);
  expect(versions.definitions('p', 2)?.version.revision).toBe(2);
  expect(versions.definitions('p', 1)).toBe(versions.definitions('p', 1));
  expect(versions.definitions('p', 3)).toBeNull();
  await put('p@3', version('p', 3));
  await clock.advance(0);
  expect(versions.definitions('p', 3)?.version.revision).toBe(3);
  expect(metrics.value('tocsin_playbook_versions')).toBe(3);
  await versions.stop();
});

test.each([
  ['not JSON', 'x@1', '{"v":', /unexpected|syntax|invalid/i],
  ['no version', 'x@1', { v: 1, revision: 1 }, /is required/],
  ['under the name of another', 'x@1', version('y', 1), /names itself y@1/],
  ['without an action that it names', 'x@1', version('x', 1, 'gone'), /the action gone does not exist/],
])(
  'a version that cannot be used is reported and takes no other down: %s',
  async (_, key, value, expected) => {
    const { versions, put, metrics, logger } = setup();
    await put(key, value);
    await put('p@1', version('p', 1));
    await versions.start();
    expect(versions.definitions('x', 1)).toBeNull();
    expect(versions.definitions('x', 1)).toBeNull();
    expect(versions.definitions('p', 1)).not.toBeNull();
    expect(versions.problems).toEqual([expect.stringMatching(/^x@1: /)]);
    expect(versions.problems[0]).toMatch(expected);
    expect(logger.entries.length).toBe(1);
    expect(metrics.value('tocsin_playbook_version_problems')).toBe(1);
  },
);

test('a version never changes: other content under its key is reported', async () => {
  const { versions, put } = setup();
  await put('p@1', version('p', 1));
  await put('p@1', { ...version('p', 1), published_by: 'somebody else' });
  await put('p@1', version('p', 1));
  await versions.start();
  expect(versions.definitions('p', 1)?.version.published_by).toBeUndefined();
  expect(versions.problems).toEqual(['p@1: came again with other content; the first one stays']);
});

test('the text of a version outlives the buffer that it came in', async () => {
  const place = { topic, partition: 0 };
  const client: LogClient = {
    ...fakeLog({ clock: fakeClock(), topics: { [topic]: 1 } }),
    table: ({ onBatch }) => ({
      async start() {
        const value = Buffer.from(JSON.stringify(version('p', 1)));
        const record = { ...place, offset: 0, timestamp: 0, key: Buffer.from('p@1'), value, headers: [] };
        const batch = memoryBatch(place, [record], 1);
        onBatch(batch);
        batch.buffer.fill(0);
        value.fill(0);
      },
      stop: async () => undefined,
    }),
  };
  const { versions } = setup(client);
  await versions.start();
  expect(versions.definitions('p', 1)?.version.document.id).toBe('p');
});

test('missing versions are published once, and known as soon as they are acknowledged', async () => {
  const { versions, put, client, clock, seen } = setup();
  await put('p@1', version('p', 1));
  await versions.start();
  client.failSends(true);
  await expect(versions.publishMissing([version('q', 5)])).rejects.toThrow();
  expect(versions.has('q', 5)).toBe(false);
  client.failSends(false);
  await versions.publishMissing([version('p', 1), version('q', 5)]);
  expect(versions.has('q', 5)).toBe(true);
  await versions.publishMissing([version('p', 1), version('q', 5)]);
  await clock.advance(0);
  expect(client.records(topic).map(({ key }) => String(key))).toEqual(['p@1', 'q@5']);
  expect(seen).toEqual(['p@1', 'q@5']);
  expect(versions.problems).toEqual([]);
});

test('catching up finds what was published before it', async () => {
  const { versions, put } = setup();
  await versions.start();
  await versions.stop();
  await put('p@1', version('p', 1));
  expect(versions.has('p', 1)).toBe(false);
  await versions.catchUp();
  expect(versions.has('p', 1)).toBe(true);
  await versions.catchUp();
});
