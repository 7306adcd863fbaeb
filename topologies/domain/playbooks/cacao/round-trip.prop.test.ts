// Export and import on generated playbooks: nothing is lost, identifiers stay, a second export is the same document, and every document
// is what the specification demands.
import type { Playbook, PlaybookStep } from '@tocsin/schemas/types.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkPlaybook } from '../parse-playbook.ts';
import { generatePlaybook } from '../simulation/generate.ts';
import { createRandom, type Random } from '../simulation/random.ts';
import { exportCacao } from './export-cacao.ts';
import { breaksOfCacao } from './fixtures/specification.ts';
import { importCacao } from './import-cacao.ts';

/** A source of UUIDs of version 4 that counts. */
function counter(): () => string {
  let n = 0;
  return () => `${(n++).toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;
}

/** Members and forms that the generator of the simulation does not make. */
function dressed(playbook: Playbook, random: Random): Playbook {
  const ids: string[] = [];
  const visit = (step: PlaybookStep): PlaybookStep => {
    ids.push(step.id);
    const given: PlaybookStep = { ...step };
    if (random.chance(30))
      given.name = random.pick(['A step', step.id, '{{finding.title}}', '"quotes" & <tags>']);
    if (random.chance(20)) given.description = random.pick(['', 'Words.\nMore words.', '__x__:value {{ {{{']);
    if (random.chance(20))
      given.delay = random.pick([
        'PT60M',
        'P1W',
        { for: 'PT3600S' },
        { after: 'start', for: 'PT1H' },
        { after: 'previous', for: 'PT2H' },
        { until: { $: 'finding.due' } },
      ]);
    if (random.chance(10)) given.deadline = random.pick(['PT90S', 'PT1H', 'P90D', 'PT24H']);
    if (given.approve !== undefined) dressApproval(given, random);
    if (given.if !== undefined && random.chance(30)) given.else = [];
    if (given.if !== undefined && random.chance(20))
      given.if = random.pick<Record<string, unknown>>(conditions);
    if (given.switch !== undefined && random.chance(50))
      given.switch = {
        cases: [
          { when: { 'finding.severity': 'critical' }, do: given.switch.cases[0].do },
          {
            when: { 'finding.severity': random.pick<unknown>(['high', 'default', ['a', 'b'], '10']) },
            do: [],
          },
          { when: { 'finding.severity': '1' }, do: [] },
        ],
        ...(random.chance(50) ? { default: [] } : {}),
      };
    if (given.parallel !== undefined && random.chance(30))
      given.parallel = { branches: [given.parallel.branches[0]] };
    if (given.action !== undefined) dressAction(given, random);
    if (given.set !== undefined && random.chance(30)) {
      delete given.set;
      given.end = { status: random.pick(['completed', 'failed'] as const), reason: 'r {{finding.title}}' };
      given.when = { 'finding.over': true };
      delete given.onUnknown;
    }
    if (given.onError === 'incident' && random.chance(30)) given.onError = { run: [] };
    return given;
  };
  const deep = (steps: readonly PlaybookStep[]): PlaybookStep[] =>
    steps.map((step) => {
      const given = visit(step);
      for (const member of ['then', 'else'] as const)
        if (given[member] !== undefined) given[member] = deep(given[member]);
      if (given.switch !== undefined) {
        const cases = given.switch.cases.map((one) => ({
          ...one,
          do: deep(one.do),
        })) as typeof given.switch.cases;
        given.switch = { ...given.switch, cases };
      }
      if (given.forEach !== undefined) given.forEach = { ...given.forEach, do: deep(given.forEach.do) };
      if (typeof given.onError === 'object' && 'run' in given.onError)
        given.onError = { run: deep(given.onError.run) };
      return given;
    });
  const steps = deep(playbook.steps);
  // Forward gotos aim at steps that are still to come.
  for (const [index, step] of steps.entries()) {
    const aim = steps[index + 1 + random.below(3)];
    if (aim !== undefined && aim !== steps[index + 1] && random.chance(15)) step.onError = { goto: aim.id };
    if (aim !== undefined && step.approve !== undefined && random.chance(20))
      step.onReject = { goto: aim.id };
  }
  return {
    ...playbook,
    ...(random.chance(50) ? { name: 'A playbook', description: 'Line\nline' } : {}),
    ...(random.chance(50) ? { tags: random.pick([[], ['a'], ['b', 'c d']]) } : {}),
    ...(random.chance(50)
      ? { trigger: { when: { events: 'finding.new' }, dedupe: { key: ['finding.id'], window: 'P7D' } } }
      : {}),
    ...(random.chance(30)
      ? { limits: { duration: 'P2D' }, defaults: { deadline: 'PT5H', onError: 'continue' as const } }
      : {}),
    ...(random.chance(30) ? { outputs: { n: { $: 'vars.flag' } } } : {}),
    ...(random.chance(50)
      ? { vars: { flag: true, n: 1.5, text: 'x', list: [1], nothing: null, empty: '' } }
      : {}),
    steps,
  };
}

const conditions: Record<string, unknown>[] = [
  { 'finding.severity': ['high', 'critical'], 'finding.score': { gte: 7 } },
  { 'finding.owner': { not: "o'neil \\ x" } },
  { any: [{ 'vars.flag': true }, { 'finding.a': 1 }] },
  { 'finding.title': { contains: 'x' } },
  { 'finding.a': null },
  { 'finding.tags': { any: ['a'], none: ['b'] } },
  { 'finding.a_b': 1, 'finding.a.b': 1 },
];

function dressApproval(step: PlaybookStep, random: Random): void {
  if (random.chance(30))
    step.approve = {
      ...(step.approve as NonNullable<PlaybookStep['approve']>),
      message: 'More {{finding.x}}',
    };
  if (random.chance(20))
    step.onReject = random.pick([
      'fail',
      'incident',
      { run: [] },
      { run: [{ id: `${step.id}-no`, set: { no: 1 } }] },
    ]);
  if (random.chance(20))
    Object.assign(step.approve as object, { by: { anyOf: ['user:alice'] }, quorum: { approve: 1 } });
}

function dressAction(step: PlaybookStep, random: Random): void {
  const kind = random.below(4);
  if (kind === 0) step.action = 'mail-soc';
  if (kind === 1)
    step.action = {
      type: 'email',
      connection: 'mail',
      params: { to: ['a@example.com'], subject: '{{finding.title}}' },
      on_uncertain: 'hold',
    };
  if (kind === 2) {
    step.action = {
      type: 'webhook',
      connection: 'siem',
      params: {
        method: 'PUT',
        path: '/a/{{finding.id}}',
        params: [{ name: 'a b', value: '{{vars.flag}}' }],
        headers: [
          { name: 'X-A', value: '1' },
          { name: 'X-A', value: '{{run.id}}' },
        ],
        body: { a: [1, '{{finding.title}}'] },
      },
    };
    if (random.chance(50)) step.with = { method: 'GET', content_type: 'text/plain' };
  }
}

const generated = fc.tuple(fc.integer({ min: 1, max: 2 ** 31 }), fc.boolean()).map(([seed, plain]) => {
  const random = createRandom(seed);
  const playbook = generatePlaybook(random, `p${seed}`, random.chance(50) ? 'child' : null);
  return plain ? playbook : dressed(playbook, random);
});

test('what is exported comes back, and is exported again as the same document', () => {
  let checked = 0;
  const kinds = new Set<string>();
  fc.assert(
    fc.property(generated, (playbook) => {
      // A few combinations are no playbooks, such as a goto out of a loop.
      if (checkPlaybook(playbook).length > 0) return;
      checked += 1;
      const uuid = counter();
      const first = exportCacao(playbook, { uuid, now: Date.UTC(2026, 3, 28) });
      const document = JSON.parse(JSON.stringify(first.document)) as typeof first.document;
      expect(breaksOfCacao(document)).toEqual([]);
      for (const { type } of Object.values(document.workflow)) kinds.add(type);
      const back = importCacao(document);
      expect([back.issues, back.warnings]).toEqual([[], []]);
      const { meta, enabled, ...content } = back.playbook as Playbook;
      expect(content).toEqual(playbook);
      expect(enabled).toBe(false);
      expect(meta?.cacao).toEqual(first.meta);
      const again = exportCacao(back.playbook as Playbook, { uuid, now: Date.UTC(2027, 0, 1) });
      expect(again.document).toEqual(first.document);
    }),
    { numRuns: 100 },
  );
  expect(checked).toBeGreaterThan(60);
  expect(kinds.size).toBe(8);
});

/** A copy in which one place, found by `steps` turns, is something else. */
function broken(document: unknown, turns: readonly number[], value: unknown): unknown {
  const copy = JSON.parse(JSON.stringify(document)) as Record<string, unknown>;
  let at: Record<string, unknown> = copy;
  for (const turn of turns) {
    const keys = Object.keys(at);
    const key = keys[turn % keys.length] as string;
    const next = at[key];
    const inside = typeof next === 'object' && next !== null && Object.keys(next).length > 0;
    if (!inside || turn % 7 === 6) {
      if (value === undefined) delete at[key];
      else at[key] = value;
      return copy;
    }
    at = next as Record<string, unknown>;
  }
  return copy;
}

test('a document with a broken place is refused or imported, and never throws', () => {
  const values = fc.constantFrom<unknown>(
    undefined,
    null,
    0,
    -1,
    1e308,
    '',
    'x',
    true,
    [],
    {},
    [null],
    { $: 'x' },
    { goto: 'x' },
    { run: 1 },
    '__proto__',
    'PT1S',
    '{{',
    'end--x',
  );
  const turns = fc.array(fc.nat(1000), { minLength: 1, maxLength: 12 });
  const outcomes = { refused: 0, imported: 0 };
  fc.assert(
    fc.property(
      generated,
      fc.array(fc.tuple(turns, values), { minLength: 1, maxLength: 30 }),
      (playbook, changes) => {
        if (checkPlaybook(playbook).length > 0) return;
        const { document } = exportCacao(playbook, { uuid: counter(), now: 0 });
        for (const [path, value] of changes) {
          const result = importCacao(broken(document, path, value));
          if (result.playbook === null) {
            outcomes.refused += 1;
            expect(result.issues.length).toBeGreaterThan(0);
          } else {
            outcomes.imported += 1;
            expect(result.playbook.enabled).toBe(false);
            expect(checkPlaybook(result.playbook)).toEqual([]);
          }
        }
      },
    ),
    { numRuns: 60 },
  );
  expect(outcomes.refused).toBeGreaterThan(20);
  expect(outcomes.imported).toBeGreaterThan(20);
});
