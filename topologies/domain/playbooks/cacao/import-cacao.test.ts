// CACAO playbooks of other producers: what their steps become, what is warned about, and what is refused at which place.
import type { Playbook, PlaybookStep } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import { cacaoLimits, extensionId } from './document.ts';
import { exportCacao } from './export-cacao.ts';
import { agents, byHand, end, foreign, sid } from './fixtures/foreign.ts';
import { breaksOfCacao } from './fixtures/specification.ts';
import { importCacao } from './import-cacao.ts';

const [a, b, c, d] = [1, 2, 3, 4].map((n) => sid('action', n)) as [string, string, string, string];
const [e1, e2, e3] = [11, 12, 13].map((n) => sid('end', n)) as [string, string, string];
const [choice, loop, fan, choose, call] = [
  'if-condition',
  'while-condition',
  'parallel',
  'switch-condition',
  'playbook-action',
].map((type, n) => sid(type, 20 + n)) as [string, string, string, string, string];

const variables = {
  __critical__: { type: 'bool', value: 'true' },
  __count__: { type: 'integer', value: '3' },
  __owner__: { type: 'string', value: 'soc' },
  __ip__: { type: 'ipv4-addr', external: true },
};

function imported(
  workflow: Readonly<Record<string, object>>,
  more: object = {},
): { steps: PlaybookStep[]; playbook: Playbook; warnings: readonly string[] } {
  const { playbook, issues, warnings } = importCacao(
    foreign(workflow, { agent_definitions: agents, playbook_variables: variables, ...more }),
  );
  expect(issues).toEqual([]);
  return { steps: (playbook as Playbook).steps, playbook: playbook as Playbook, warnings };
}

describe('import of foreign playbooks', () => {
  test('a playbook is switched off, keeps its identity, and its variables are vars and params', () => {
    const { playbook } = imported(
      { [a]: byHand('Look at __ip__:value of __owner__:value', e1), [e1]: end },
      {
        description: 'Blocks.',
        labels: ['ip', 'block'],
        severity: 70,
        priority: 2,
        valid_until: '2030-01-01T00:00:00.000Z',
      },
    );
    expect(playbook).toMatchObject({
      id: 'block-an-address',
      name: 'Block an address',
      description: 'Blocks.',
      enabled: false,
      tags: ['ip', 'block'],
      vars: { critical: true, count: 3, owner: 'soc' },
      meta: {
        cacao: {
          id: sid('playbook', 1000),
          created: '2025-01-21T14:14:23.263Z',
          modified: '2025-01-22T14:14:23.263Z',
          properties: { severity: 70, priority: 2, valid_until: '2030-01-01T00:00:00.000Z' },
        },
      },
    });
    expect(playbook.steps[0]?.approve?.title).toBe('Look at {{params.ip}} of {{vars.owner}}');
  });

  test('manual commands are approvals of their agent; delay and timeout are delay and deadline', () => {
    const { steps, warnings } = imported({
      [a]: byHand('Call the owner', b, { delay: 3_600_000, timeout: 90_500, agent: sid('individual', 901) }),
      [b]: {
        ...byHand('', e1),
        name: 'Long',
        commands: [{ type: 'manual', command: `${'x'.repeat(2000)}\n{{constructor}}` }],
      },
      [e1]: end,
    });
    expect(steps).toEqual([
      {
        id: 'call-the-owner',
        name: 'Call the owner',
        delay: 'PT1H',
        deadline: 'PT1M31S',
        approve: { title: 'Call the owner', by: { anyOf: ['user:alice'] } },
      },
      {
        id: 'long',
        name: 'Long',
        approve: {
          title: 'Long',
          message: `${'x'.repeat(2000)}\n{ {constructor}}`,
          by: { anyOf: ['role:soc'] },
        },
      },
    ]);
    expect(warnings).toEqual([`/workflow/${a}: its timeout of 90500 ms becomes PT1M31S`]);
  });

  test('HTTP requests are webhooks without credentials; several commands are several steps', () => {
    const command = {
      type: 'http-api',
      command: 'POST /api/block?ip=__ip__:value&reason=a%20b HTTP/1.1',
      headers: { 'X-Reason': ['__owner__:value'], Authorization: ['Basic c2VjcmV0'] },
      content_b64: Buffer.from('{"ip": "__ip__:value"}').toString('base64'),
    };
    const { steps, warnings } = imported({
      [a]: {
        type: 'action',
        name: 'Block',
        commands: [command, { type: 'http-api', command: 'GET https://firewall.example.com/state' }],
        agent: sid('http-api', 902),
        on_completion: e1,
      },
      [e1]: end,
    });
    expect(steps).toEqual([
      {
        id: 'block',
        name: 'Block',
        action: {
          type: 'webhook',
          connection: 'edge-firewall',
          params: {
            method: 'POST',
            path: '/api/block',
            params: [
              { name: 'ip', value: '{{params.ip}}' },
              { name: 'reason', value: 'a b' },
            ],
            headers: [{ name: 'X-Reason', value: '{{vars.owner}}' }],
            body: '{"ip": "{{params.ip}}"}',
          },
        },
      },
      {
        id: 'block-2',
        name: 'Block',
        action: { type: 'webhook', connection: 'edge-firewall', params: { method: 'GET', path: '/state' } },
      },
    ]);
    expect(JSON.stringify([steps, warnings])).not.toMatch(/c2VjcmV0/);
    expect(warnings).toEqual([
      `/workflow/${a}: the header Authorization is left out; credentials belong to the connection`,
      `/workflow/${a}: it needs a connection edge-firewall to https://firewall.example.com`,
    ]);
  });

  test.each(['bash', 'ssh', 'powershell', 'openc2-http', 'caldera-cmd', 'sigma', 'no-such-type'])(
    'a command of type %s becomes a gate for people with a warning',
    (type) => {
      const { steps, warnings } = imported({
        [a]: byHand('', e1, { name: 'Run it', commands: [{ type, command: 'rm -rf {{x}} $(id)' }] }),
        [e1]: end,
      });
      expect(steps).toEqual([
        {
          id: 'run-it',
          name: 'Run it',
          approve: { title: `${type}: rm -rf { {x}} $(id)`, by: { anyOf: ['role:soc'] } },
        },
      ]);
      expect(warnings).toEqual([
        `/workflow/${a}: commands of type ${type} are not carried out: the step waits for a person instead`,
      ]);
    },
  );

  test('branches, loops, switches and calls', () => {
    const { steps, warnings } = imported({
      [choice]: {
        type: 'if-condition',
        name: 'Bad',
        condition: "__critical__:value = 'true' AND __count__:value > 2",
        on_true: a,
        on_false: e2,
        on_completion: fan,
      },
      [a]: byHand('A', e1),
      [e1]: end,
      [e2]: end,
      [fan]: { type: 'parallel', name: 'Fan', next_steps: [b, c], on_completion: choose },
      [b]: byHand('B', e3),
      [e3]: end,
      [c]: byHand('C', sid('end', 14)),
      [sid('end', 14)]: end,
      [choose]: {
        type: 'switch-condition',
        name: 'Choose',
        switch: '__count__:value',
        cases: { 1: sid('end', 15), default: d },
        on_completion: loop,
      },
      [sid('end', 15)]: end,
      [d]: byHand('D', sid('end', 16)),
      [sid('end', 16)]: end,
      [loop]: {
        type: 'while-condition',
        name: 'Loop',
        condition: '__critical__:value',
        on_true: sid('action', 5),
        on_completion: call,
      },
      [sid('action', 5)]: byHand('E', sid('end', 17)),
      [sid('end', 17)]: end,
      [call]: {
        type: 'playbook-action',
        name: 'Call',
        playbook_id: sid('playbook', 77),
        in_args: ['__owner__'],
        on_completion: sid('end', 18),
      },
      [sid('end', 18)]: end,
    });
    const hand = (id: string): object => ({
      id,
      name: id.toUpperCase(),
      approve: { title: id.toUpperCase(), by: { anyOf: ['role:soc'] } },
    });
    expect(steps).toEqual([
      {
        id: 'bad',
        name: 'Bad',
        if: { 'vars.critical': true, 'vars.count': { gt: 2 } },
        then: [hand('a')],
        else: [],
      },
      { id: 'fan', name: 'Fan', parallel: { branches: [[hand('b')], [hand('c')]] } },
      {
        id: 'choose',
        name: 'Choose',
        switch: { cases: [{ when: { 'vars.count': 1 }, do: [] }], default: [hand('d')] },
      },
      { id: 'loop', name: 'Loop', while: { when: { 'vars.critical': true }, max: 100, do: [hand('e')] } },
      {
        id: 'call',
        name: 'Call',
        playbook: { id: sid('playbook', 77), params: { owner: { $: 'vars.owner' } } },
      },
    ]);
    expect(warnings).toEqual([
      `/workflow/${loop}: it runs at most 100 rounds`,
      `/workflow/${call}: it runs the playbook ${sid('playbook', 77)}, which has to exist under this id`,
    ]);
  });

  test.each([
    ["__owner__:value = 'Soc'", { 'vars.owner': { cased: 'Soc' } }],
    ["__owner__:value != 'it\\'s'", { 'vars.owner': { not: { cased: "it's" } } }],
    ["__owner__:value IN ('a', 'b')", { 'vars.owner': { cased: ['a', 'b'] } }],
    ['__count__:value <= 10', { 'vars.count': { lte: 10 } }],
    [
      "__count__:value = '3' OR __critical__:value = false",
      { any: [{ 'vars.count': 3 }, { 'vars.critical': false }] },
    ],
    ["__ip__:value = '192.0.2.1'", { 'params.ip': { cased: '192.0.2.1' } }],
  ])('the condition %s', (condition, expected) => {
    const { steps } = imported({
      [choice]: { type: 'if-condition', name: 'x', condition, on_true: a, on_completion: e2 },
      [a]: byHand('A', e1),
      [e1]: end,
      [e2]: end,
    });
    expect(steps[0]).toMatchObject({ if: expected });
  });

  test.each([
    "[ipv4-addr:value = '192.0.2.1']",
    "(__owner__:value = 'a' OR __owner__:value = 'b') AND __count__:value = 1",
    "__owner__:value = 'a' AND __count__:value = 1 OR __critical__:value",
    "__owner__:value = 'a' AND __owner__:value != 'b'",
    '__unknown__:value = 1',
    "__owner__:value LIKE 'a%'",
    "__owner__:value > 'a'",
    '__owner__:value =',
    'AND',
    '',
    "__owner__:value = 'a' __count__:value = 1",
    `${'('.repeat(50_000)}`,
  ])('the condition %s is never guessed: it fails until somebody says', (condition) => {
    const { steps, warnings } = imported({
      [choice]: { type: 'if-condition', name: 'x', condition, on_true: a, on_completion: e2 },
      [a]: byHand('A', e1),
      [e1]: end,
      [e2]: end,
    });
    expect(steps[0]).toMatchObject({ if: { 'vars.cacao_if_x': true }, onUnknown: 'fail' });
    expect(warnings).toEqual([
      `/workflow/${choice}: its condition cannot be told here: it fails unless vars.cacao_if_x is set`,
    ]);
  });

  test('a manual answer decides the condition behind it', () => {
    const { steps, warnings } = imported({
      [a]: byHand('Isolate?', choice, { out_args: ['__critical__'] }),
      [choice]: {
        type: 'if-condition',
        name: 'Yes',
        condition: "__critical__:value = 'true'",
        on_true: b,
        on_completion: e2,
      },
      [b]: byHand('B', e1),
      [e1]: end,
      [e2]: end,
    });
    expect(steps).toMatchObject([
      { id: 'isolate', onReject: 'continue' },
      { if: { 'steps.isolate.outputs.approved': true } },
    ]);
    expect(warnings).toEqual([]);
  });

  test('what happens on failure: go on, run and go on, run and fail, go elsewhere', () => {
    const with_ = (more: object): PlaybookStep[] => {
      const first = { ...byHand('A', b), ...more } as { on_completion?: string };
      delete first.on_completion;
      return imported({
        [a]: first,
        [b]: byHand('B', c),
        [c]: byHand('C', e1),
        [e1]: end,
        [d]: byHand('D', (more as { back?: string }).back ?? b),
        [e2]: end,
      }).steps;
    };
    expect(with_({ on_success: b, on_failure: b })[0]?.onError).toBe('continue');
    expect(with_({ on_success: b, on_failure: d })[0]?.onError).toMatchObject({ run: [{ id: 'd' }] });
    expect(with_({ on_success: b, on_failure: d, back: e2 })[0]?.onError).toMatchObject({
      run: [{ id: 'd' }, { end: { status: 'failed' } }],
    });
    expect(with_({ on_success: b, on_failure: c })[0]?.onError).toEqual({ goto: 'c' });
    expect(with_({ on_success: b, on_failure: e2 })[0]).not.toHaveProperty('onError');
  });

  test('a branch that two steps share is written out twice, with ids of its own', () => {
    const { playbook } = imported({
      [choice]: {
        type: 'if-condition',
        name: 'one',
        condition: '__critical__:value',
        on_true: a,
        on_false: a,
        on_completion: e2,
      },
      [a]: byHand('A', e1),
      [e1]: end,
      [e2]: end,
    });
    expect(playbook.steps[0]).toMatchObject({ then: [{ id: 'a' }], else: [{ id: 'a-2' }] });
    const kept = Object.values(playbook.meta?.cacao?.ids ?? {});
    expect(new Set(kept).size).toBe(kept.length);
    const again = exportCacao(playbook, { uuid: () => crypto.randomUUID(), now: Date.UTC(2030, 0) });
    expect(breaksOfCacao(again.document)).toEqual([]);
    expect(Object.keys(again.document.workflow)).toEqual(expect.arrayContaining([choice, a, e1, e2]));
  });

  test('what is not imported is named', () => {
    const { warnings } = imported(
      { [a]: byHand('A', e1, { targets: [sid('group', 900)] }), [e1]: end, [b]: byHand('lost', e1) },
      {
        workflow_exception: b,
        signatures: [{}],
        revoked: true,
        target_definitions: {},
        authentication_info_definitions: {},
      },
    );
    expect([...warnings].sort()).toEqual(
      [
        `/workflow/${a}: its targets are not imported`,
        `/workflow: 1 steps are not reached and not imported: ${b}`,
        '/revoked: its author has revoked the playbook',
        '/signatures: is not imported',
        '/workflow_exception: is not imported',
        '/authentication_info_definitions: is not imported',
        '/target_definitions: is not imported',
      ].sort(),
    );
  });
});

describe('import of edited exports', () => {
  const source: Playbook = {
    kind: 'playbook',
    id: 'p',
    steps: [
      { id: 'one', delay: 'PT60M', action: 'mail-soc', retry: { attempts: 2, base: 'PT1M' } },
      { id: 'gate', approve: { title: 'Go?', by: { anyOf: ['role:soc'] }, quorum: { approve: 2 } } },
      {
        id: 'check',
        if: { 'finding.tags': { any: ['a'] } },
        onUnknown: 'then',
        then: [{ id: 'two', set: { x: 1 } }],
      },
    ],
  };
  let n = 0;
  const exported = (): { steps: [string, Record<string, unknown>][]; document: Record<string, unknown> } => {
    const { document } = exportCacao(source, {
      uuid: () => `${(n++).toString(16).padStart(8, '0')}-2222-4222-8222-222222222222`,
      now: 0,
    });
    const copy = JSON.parse(JSON.stringify(document)) as Record<string, unknown>;
    return {
      steps: Object.entries(copy['workflow'] as Record<string, Record<string, unknown>>),
      document: copy,
    };
  };
  const named = (steps: [string, Record<string, unknown>][], name: string): Record<string, unknown> =>
    steps.find(([, step]) => step['name'] === name)?.[1] as Record<string, unknown>;

  test('a change of what CACAO says counts, the rest of the extension stays', () => {
    const { steps, document } = exported();
    Object.assign(named(steps, 'one'), { name: 'Renamed', delay: 1000 });
    named(steps, 'check')['condition'] = '__finding_tags__:value = 1';
    const { playbook, warnings } = importCacao(document);
    expect(playbook?.steps[0]).toEqual({ ...source.steps[0], name: 'Renamed', delay: 'PT1S' });
    expect(playbook?.steps[2]).toMatchObject({ onUnknown: 'fail', if: { 'vars.cacao_if_check': true } });
    expect(warnings).toHaveLength(1);
  });

  test('changed commands and a changed decision are not what the extension says', () => {
    const { steps, document } = exported();
    named(steps, 'one')['commands'] = [{ type: 'manual', command: 'Something else' }];
    named(steps, 'Decision of gate')['condition'] = "__approved_gate__:value != 'true'";
    const { playbook, warnings } = importCacao(document);
    expect(playbook?.steps).toMatchObject([
      { id: 'one', approve: { title: 'Something else' } },
      { id: 'gate', onReject: 'continue', approve: { quorum: { approve: 2 } } },
      { id: 'gate-decision', if: { 'steps.gate.outputs.approved': true }, then: [{ id: 'check' }] },
    ]);
    expect(playbook?.steps[0]).not.toHaveProperty('retry');
    expect(warnings.join()).toMatch(/its commands were changed.*the condition on the decision was changed/);
  });

  test.each([
    ['a kind that does not fit', { step_kind: 'parallel' }],
    ['members that are no step', { step_members: { action: 1, surprise: {} } }],
    ['a delay that is none', { step_members: { action: 'mail-soc', delay: 'soon' } }],
    ['an id that is none', { step_id: '../../x' }],
    ['no members', { step_members: null }],
  ])('%s: the extension is left out, the step is read as any other', (_name, change) => {
    const { steps, document } = exported();
    const extension = named(steps, 'one')['step_extensions'] as Record<string, object>;
    Object.assign(extension[extensionId] as object, change);
    const { playbook, warnings } = importCacao(document);
    expect(playbook?.steps[0]).toMatchObject({
      id: 'one',
      delay: 'PT1H',
      approve: { by: { anyOf: ['role:operators'] } },
    });
    expect(warnings.join()).toContain('its extension fits no step and is left out');
  });

  test('an extension that enables, or has another identity, does not', () => {
    const { document } = exported();
    const extension = (document['playbook_extensions'] as Record<string, Record<string, unknown>>)[
      extensionId
    ] as Record<string, unknown>;
    extension['playbook_members'] = {
      kind: 'playbook',
      enabled: true,
      meta: { cacao: {} },
      steps: [],
      id: 'q',
      surprise: 1,
    };
    expect(importCacao(document)).toMatchObject({
      playbook: { id: 'p', enabled: false },
      warnings: ['/playbook_extensions: ours fits no playbook and is left out'],
    });
    delete (extension['playbook_members'] as Record<string, unknown>)['surprise'];
    expect(importCacao(document)).toMatchObject({ playbook: { id: 'p', enabled: false }, warnings: [] });
  });
});

describe('what is refused', () => {
  const fine = { [a]: byHand('A', e1), [e1]: end };
  const pathsOf = (document: unknown): string[] => importCacao(document).issues.map(({ path }) => path);

  test.each<[string, unknown, string[]]>([
    ['no object', [], ['']],
    ['nothing', null, ['']],
    ['another type', foreign(fine, { type: 'bundle' }), ['/type']],
    ['another version', foreign(fine, { spec_version: 'cacao-1.1' }), ['/spec_version']],
    ['no workflow', foreign(fine, { workflow: undefined }), ['/workflow']],
    ['a workflow that is a list', foreign(fine, { workflow: [] }), ['/workflow']],
    ['no identity', foreign(fine, { created_by: 'me' }), ['/created_by']],
    ['a time that is none', foreign(fine, { modified: 'yesterday' }), ['/modified']],
    ['an identifier that is none', foreign(fine, { id: 'playbook--1' }), ['/id']],
    ['no start', foreign(fine, { workflow_start: a }), ['/workflow_start']],
    ['a start that is not there', foreign(fine, { workflow_start: sid('start', 99) }), ['/workflow_start']],
    [
      'a type of step that does not exist',
      foreign({ ...fine, [a]: { type: 'single' } }),
      [`/workflow/${a}/type`],
    ],
    [
      'an identifier of another type',
      foreign({ [a]: { ...byHand('A', e1), type: 'playbook-action', playbook_id: 'x' }, [e1]: end }),
      [`/workflow/${a}`],
    ],
    [
      'a next step that is not there',
      foreign({ [a]: byHand('A', e2), [e1]: end }),
      [`/workflow/${a}/on_completion`],
    ],
    [
      'a constructor for a next step',
      foreign({ [a]: byHand('A', 'constructor'), [e1]: end }),
      [`/workflow/${a}/on_completion`],
    ],
    [
      'both ways to go on',
      foreign({ [a]: byHand('A', e1, { on_success: e1 }), [e1]: end }),
      [`/workflow/${a}/on_completion`],
    ],
    [
      'an end that goes on',
      foreign({ [a]: byHand('A', e1), [e1]: { type: 'end', on_completion: a } }),
      [`/workflow/${e1}/on_completion`],
    ],
    [
      'no commands',
      foreign({ [a]: byHand('A', e1, { commands: [] }), [e1]: end }),
      [`/workflow/${a}/commands`],
    ],
    [
      'commands of no type',
      foreign({ [a]: byHand('A', e1, { commands: [{ command: 'x' }] }), [e1]: end }),
      [`/workflow/${a}/commands`],
    ],
    [
      'a delay that is negative',
      foreign({ [a]: byHand('A', e1, { delay: -1 }), [e1]: end }),
      [`/workflow/${a}/delay`],
    ],
    [
      'a delay that is text',
      foreign({ [a]: byHand('A', e1, { delay: 'PT1H' }), [e1]: end }),
      [`/workflow/${a}/delay`],
    ],
    [
      'a variable that is none',
      foreign(fine, { playbook_variables: { __a__: 'x' } }),
      ['/playbook_variables/__a__'],
    ],
    ['a circle', foreign({ [a]: byHand('A', b), [b]: byHand('B', a) }), [`/workflow/${a}`]],
    [
      'two faults',
      foreign({ [a]: byHand('A', e2, { delay: -1 }), [e1]: end }, { created: 1 }),
      ['/created', `/workflow/${a}/delay`, `/workflow/${a}/on_completion`],
    ],
  ])('%s', (_name, document, paths) => {
    expect(pathsOf(document)).toEqual(paths);
    expect(importCacao(document).playbook).toBeNull();
  });

  test('what is too large or too deep, before anything else is read', () => {
    expect(pathsOf(foreign(fine, { description: 'x'.repeat(cacaoLimits.bytes) }))).toEqual(['']);
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level++) deep = [deep];
    expect(pathsOf(foreign(fine, { labels: deep }))).toEqual(['']);
    const many = Object.fromEntries(
      Array.from({ length: cacaoLimits.steps + 1 }, (_, n) => [sid('end', 1000 + n), end]),
    );
    expect(pathsOf(foreign({ ...fine, ...many }))).toEqual(['/workflow']);
  });

  test('many faults are named up to a number', () => {
    const many = Object.fromEntries(
      Array.from({ length: 200 }, (_, n) => [sid('action', 1000 + n), byHand('x', e2)]),
    );
    const { issues } = importCacao(foreign({ ...fine, ...many }));
    expect(issues).toHaveLength(cacaoLimits.issues + 1);
    expect(issues.at(-1)?.message).toBe('and 150 more faults');
  });

  test('shared branches that double at every step', () => {
    const steps: Record<string, object> = {};
    for (let n = 0; n < 30; n++) {
      const next = n === 29 ? a : sid('if-condition', 200 + n);
      steps[sid('if-condition', 199 + n)] = {
        type: 'if-condition',
        condition: '__critical__:value',
        on_true: next,
        on_false: next,
        on_completion: sid('end', 300 + n),
      };
      steps[sid('end', 300 + n)] = end;
    }
    expect(pathsOf(foreign({ ...steps, ...fine }))).toEqual(['/workflow']);
  });

  test('what playbooks cannot have is named by the step that it came from', () => {
    const steps: Record<string, object> = {};
    for (let n = 0; n < 10; n++) {
      steps[sid('if-condition', 200 + n)] = {
        type: 'if-condition',
        condition: '__critical__:value',
        on_true: n === 9 ? a : sid('if-condition', 201 + n),
        on_completion: sid('end', 300 + n),
      };
      steps[sid('end', 300 + n)] = end;
    }
    const { issues } = importCacao(foreign({ ...steps, ...fine }, { playbook_variables: variables }));
    expect(issues[0]).toEqual({
      path: sid('if-condition', 207).replace(/^/, '/workflow/'),
      message: expect.stringContaining('nested at most 8 deep'),
    });
  });
});
