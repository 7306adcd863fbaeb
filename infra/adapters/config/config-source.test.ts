// The topic as configuration: folded to the newest revision, complete before the start resolves, bad records named.
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import { fakeClock } from '@tocsin/topologies/ports/fakes/clock.ts';
import { fakeLog } from '@tocsin/topologies/ports/fakes/log.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import { fakeMetrics } from '@tocsin/topologies/ports/fakes/metrics.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import { expect, test } from 'vitest';
import { createConfigSource } from './config-source.ts';

const record = (revision: number, document: object): string =>
  JSON.stringify({ v: 1, revision, updated_at: 0, document });
const rule = (id: string, name: string): object => ({
  kind: 'rule',
  id,
  name,
  match_all: true,
  then: [{ action: 'log' }],
});

test('newest revisions, deletions, bad records and later changes', async () => {
  const clock = fakeClock();
  const client = fakeLog({ clock, topics: { [topics.config.name]: 1 } });
  const metrics = fakeMetrics();
  const logger = fakeLogger();
  const put = (key: string, value: string | null) =>
    client.producer().send([{ topic: topics.config.name, key, value }]);
  await put('rule/a', record(1, rule('a', 'old')));
  await put('rule/a', record(2, rule('a', 'new')));
  await put('rule/b', record(1, rule('b', 'gone')));
  await put('rule/b', null);
  await put('rule/c', '{"v":1');
  await put('rule/d', JSON.stringify({ v: 1, document: rule('d', 'no revision') }));
  await put('rule/e', record(1, { ...rule('e', 'typo'), thn: [] }));

  const source = createConfigSource({
    client,
    directory: null,
    logger,
    metrics,
    onFailure: (error) => {
      throw error;
    },
  });
  const seen: string[] = [];
  source.onChange((changes) =>
    seen.push(...changes.map(({ id, after }) => `${id} ${after?.revision ?? 'gone'}`)),
  );
  await source.start();
  expect([...source.table.rules.values()].map(({ document }) => document.name)).toEqual(['new']);
  expect(source.problems.map((problem) => problem.slice(0, 6)).sort()).toEqual([
    'rule/c',
    'rule/d',
    'rule/e',
  ]);
  expect(logger.entries.length).toBe(3);
  expect(metrics.value('tocsin_config_problems')).toBe(3);

  await put('rule/e', record(2, rule('e', 'mended')));
  await clock.advance(0);
  expect(source.table.rules.get('e')?.revision).toBe(2);
  expect(source.problems.length).toBe(2);
  expect(seen.at(-1)).toBe('e 2');
  await source.stop();
});

test('a document that uses all levels of a body is read, although its record has one more', async () => {
  const client = fakeLog({ clock: fakeClock(), topics: { [topics.config.name]: 1 } });
  const deepest = 64;
  const vars = `${'{"a":'.repeat(deepest - 2)}1${'}'.repeat(deepest - 2)}`;
  const document = `{"kind":"playbook","id":"deep","steps":[{"id":"x","set":{}}],"vars":{"v":${vars}}}`;
  const value = `{"v":1,"revision":1,"updated_at":0,"document":${document}}`;
  expect([parseJson(Buffer.from(document)).ok, parseJson(Buffer.from(value)).ok]).toEqual([true, false]);
  await client.producer().send([{ topic: topics.config.name, key: 'playbook/deep', value }]);
  const source = createConfigSource({
    client,
    directory: null,
    logger: fakeLogger(),
    metrics: fakeMetrics(),
    onFailure: (error) => {
      throw error;
    },
  });
  await source.start();
  expect([source.problems, [...source.table.playbooks.keys()]]).toEqual([[], ['deep']]);
});
