// C56: the incident of a command is the one that the earlier entry of the rule makes of the same row, event or set.
import type { Command, ThenAction } from '@tocsin/schemas/types.ts';
import { describe, expect, it } from 'vitest';
import { actions } from '../../actions/registry.ts';
import type { ActionManifest } from '../action/define-action.ts';
import { incidentIdOf } from '../incident/incident.ts';
import { decide } from './decide.ts';
import { action, rule } from './fixtures.ts';
import { linkedIncident } from './incident-link.ts';
import { buildTables } from './tables.ts';

const manifests: ReadonlyMap<string, ActionManifest> = new Map(
  Object.values(actions).map(({ manifest }) => [manifest.id, manifest]),
);
const configs = [
  action('incident'),
  action('other', { type: 'incident' }),
  action('off', { type: 'incident', enabled: false }),
  action('mitre'),
  action('log'),
];
const tablesOf = (then: [ThenAction, ...ThenAction[]]) =>
  buildTables(
    {
      rules: new Map([
        ['r', { document: rule('r', then, { source: 'search-results' }), revision: 1 }],
        ['e', { document: rule('e', then), revision: 1 }],
      ]),
      actions: new Map(configs.map((document) => [document.id, { document, revision: 1 }])),
      playbooks: new Map(),
    },
    manifests,
  );
const record = { topic: 't', partition: 0, offset: 1, timestamp: 5, now: 9 };
const rows = [{ a: 0 }, { a: 1 }, { a: 2 }];
const ofRows = (then: [ThenAction, ...ThenAction[]], chunk = {}) =>
  decide(
    {
      ...record,
      input: 'search-results',
      value: { job_id: 'j', run_id: 'x', rows, tenant: 'acme', ...chunk },
    },
    tablesOf(then),
  );
const ofEvent = (then: [ThenAction, ...ThenAction[]]) =>
  decide(
    { ...record, input: 'findings', value: { id: 'ev', event: 'finding.new', data: {} } },
    tablesOf(then),
  );

const made = (commands: readonly Command[], key = 'incident') =>
  commands.filter((one) => one.action.key === key).map((one) => incidentIdOf(one.command_id));
const linked = (commands: readonly Command[]) =>
  commands.filter(({ type }) => type === 'mitre').map(linkedIncident);

type Mode = NonNullable<ThenAction['mode']>;
const modes: readonly Mode[] = ['each', 'first', 'all'];

describe('an event', () => {
  it.each(modes.flatMap((incident) => modes.map((mitre) => [incident, mitre] as const)))(
    'incident %s, mitre %s: the one incident',
    (incident, mitre) => {
      const { commands } = ofEvent([
        { action: 'incident', mode: incident },
        { action: 'mitre', mode: mitre },
      ]);
      expect(linked(commands)).toEqual(made(commands));
      expect(made(commands)).toHaveLength(1);
    },
  );
});

describe('rows', () => {
  it.each([
    ['each', 'each', [0, 1, 2]],
    ['each', 'first', [0]],
    ['each', 'all', [null]],
    ['first', 'each', [0, null, null]],
    ['first', 'first', [0]],
    ['first', 'all', [0]],
    ['all', 'each', [0, 0, 0]],
    ['all', 'first', [0]],
    ['all', 'all', [0]],
  ] as const)('incident %s, mitre %s: incident number %j of the rule', (incident, mitre, expected) => {
    const { commands } = ofRows([
      { action: 'incident', mode: incident },
      { action: 'log' },
      { action: 'mitre', mode: mitre },
    ]);
    const ids = made(commands);
    expect(linked(commands)).toEqual(expected.map((index) => (index === null ? null : ids[index])));
  });

  it('only the rows that match count as first', () => {
    const then: [ThenAction, ...ThenAction[]] = [
      { action: 'incident', mode: 'first' },
      { action: 'mitre', mode: 'each' },
    ];
    const tables = buildTables(
      {
        rules: new Map([
          [
            'r',
            { document: rule('r', then, { source: 'search-results', when: { a: [1, 2] } }), revision: 1 },
          ],
        ]),
        actions: new Map(configs.map((document) => [document.id, { document, revision: 1 }])),
        playbooks: new Map(),
      },
      manifests,
    );
    const { commands } = decide(
      { ...record, input: 'search-results', value: { job_id: 'j', run_id: 'x', rows } },
      tables,
    );
    expect(commands.map(({ row_index }) => row_index)).toEqual([1, 1, 2]);
    expect(linked(commands)).toEqual([made(commands)[0], null]);
  });
});

describe('order', () => {
  const link = (...names: string[]) => {
    const { commands } = ofEvent(names.map((name) => ({ action: name })) as [ThenAction, ...ThenAction[]]);
    return { ids: linked(commands), of: (key: string) => made(commands, key)[0] };
  };

  it('mitre before the incident has none', () => {
    expect(link('mitre', 'incident').ids).toEqual([null]);
  });

  it('of two incidents the nearest earlier one counts, also of one action that is used twice', () => {
    const { ids, of } = link('incident', 'mitre', 'other', 'mitre', 'incident', 'mitre');
    expect(ids).toEqual([of('incident'), of('other'), of('incident#2')]);
  });

  it('an incident action that is switched off or unknown makes none', () => {
    expect(link('off', 'gone', 'mitre').ids).toEqual([null]);
    const { ids, of } = link('incident', 'off', 'mitre');
    expect(ids).toEqual([of('incident')]);
  });

  it('other types carry nothing of it', () => {
    const { commands } = ofEvent([{ action: 'incident' }, { action: 'log' }]);
    expect(commands.every((command) => command.incident === undefined)).toBe(true);
  });
});

describe('a run in chunks', () => {
  const chunk = { chunk: 1, chunks: 3, row_base: 10 };

  it('each and each: of the same row', () => {
    const { commands } = ofRows(
      [
        { action: 'incident', mode: 'each' },
        { action: 'mitre', mode: 'each' },
      ],
      chunk,
    );
    expect(linked(commands)).toEqual(made(commands));
  });

  it('one incident over the run: of every row, before the collector has made it', () => {
    const { commands, collected } = ofRows(
      [
        { action: 'incident', mode: 'all' },
        { action: 'mitre', mode: 'each' },
        { action: 'mitre', mode: 'all', key: 'whole' },
      ],
      chunk,
    );
    expect(collected[1]?.chunk.template.incident).toEqual({ key: 'incident', mode: 'all', source: 'j/x' });
    // The id of the command that the collector makes of the run: its source is the run itself.
    const whole = ofRows([{ action: 'incident', mode: 'all' }]).commands;
    expect(whole[0]?.source.id).toBe('j/x');
    expect(new Set(linked(commands))).toEqual(new Set(made(whole)));
  });

  it('no link where the row of the incident is not known here', () => {
    const first = ofRows(
      [
        { action: 'incident', mode: 'first' },
        { action: 'mitre', mode: 'each' },
      ],
      chunk,
    );
    expect(linked(first.commands)).toEqual([null, null, null]);
    const each = ofRows(
      [
        { action: 'incident', mode: 'each' },
        { action: 'mitre', mode: 'first' },
      ],
      chunk,
    );
    const template = each.collected[0]?.chunk.template;
    const collectedCommand = { ...template, row_index: 10, subject: { rows: [{ a: 0 }] } };
    expect(linkedIncident(collectedCommand as unknown as Command)).toBeNull();
  });
});
