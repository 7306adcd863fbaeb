// Named lists through the whole system: a list that changes changes what its rules say, and a broken one takes nothing down.
import type { Rule, ValueList } from '@tocsin/schemas/types.ts';
import { expect, test } from 'vitest';
import { startDrive } from '../../testing/drive.ts';
import { topics } from '../../topics.ts';
import type { ConfigTable } from '../config/config-table.ts';
import { action, rule } from './fixtures.ts';
import { followConfig } from './tables.ts';

const log = action('log', { type: 'log', params: {} });
const byList = (id: string, list: string): Rule =>
  rule(id, [{ action: 'log' }], { when: { 'data.host': { in_list: list } } });
const list = (id: string, more: Partial<ValueList>): ValueList => ({ kind: 'list', id, ...more });
const event = (host: string) => ({ id: `e-${host}`, event: 'finding.new', data: { host } });

test('a changed list takes effect with the next record, without a change of the rule', async () => {
  const drive = await startDrive({
    documents: [
      log,
      list('inner', { values: ['web-02'] }),
      list('hosts', { include: ['inner'] }),
      byList('r', 'hosts'),
    ],
  });
  const commandsFor = async (host: string): Promise<number> => {
    const before = drive.metrics.total('tocsin_commands_total');
    await drive.publish(topics.findings, event(host));
    await drive.advance(1_000);
    return drive.metrics.total('tocsin_commands_total') - before;
  };
  expect([await commandsFor('web-01'), await commandsFor('WEB-02')]).toEqual([0, 1]);
  drive.configure(list('inner', { values: ['web-01'] }), 2);
  expect([await commandsFor('web-01'), await commandsFor('web-02')]).toEqual([1, 0]);
  drive.configure(list('hosts', { values: ['web-03'] }), 2);
  expect([await commandsFor('web-01'), await commandsFor('web-03')]).toEqual([0, 1]);
  await drive.stop();
});

test('lists that cannot be used are reported and empty; everything else works', () => {
  const documents = [
    list('good', { values: ['a'] }),
    list('one', { values: ['a'], include: ['two'] }),
    list('two', { include: ['one'] }),
    list('nets', { comparison: 'cidr', values: ['10.0.0.0/33'] }),
  ];
  const lists = new Map(documents.map((document) => [document.id, { document, revision: 2 }]));
  const rules = new Map(
    [byList('r-good', 'good'), byList('r-one', 'one'), byList('r-gone', 'gone')].map((document) => [
      document.id,
      { document, revision: 3 },
    ]),
  );
  const config = { lists, rules, actions: new Map() } satisfies Partial<ConfigTable>;
  const { tables, apply } = followConfig(config, new Map());
  const about = (part: string): string[] => tables.problems.filter((line) => line.includes(part));
  expect(about('list/')).toEqual([
    'list/one revision 2: /include/0: includes itself: one -> two -> one',
    'list/two revision 2: /include/0: includes itself: two -> one -> two',
    'list/nets revision 2: /values/0: a prefix of IPv4 has at most 32 bits',
  ]);
  expect(about('in_list')).toHaveLength(2);
  expect(about('rule/r-gone')[0]).toContain('/when/data.host/in_list: the list gone does not exist');
  const held = (host: string): string[] =>
    tables.ruleSet
      .match({ source: 'events', fields: event(host), search: null }, { now: 0, lists: tables.lists })
      .map(({ document }) => document.id);
  expect(held('a')).toEqual(['r-good']);
  lists.set('two', { document: list('two', {}), revision: 3 });
  lists.set('gone', { document: list('gone', { values: ['a'] }), revision: 1 });
  apply([
    { kind: 'list', id: 'two' },
    { kind: 'list', id: 'gone' },
  ]);
  expect(held('a')).toEqual(['r-gone', 'r-good', 'r-one']);
  expect(about('in_list')).toEqual([]);
});
