// The risk action: numbers and objects that count, and those that do not.
import { describe, expect, it } from 'vitest';
import { checkParams } from '../../domain/action/check-params.ts';
import { totalAt } from '../../domain/risk/score.ts';
import { StoreUnavailable } from '../../ports/store-unavailable.ts';
import { contextFor, contractNow, fakes } from '../../testing/action-fakes.ts';
import { eventCommand, rowsCommand } from '../../testing/fixtures.ts';
import { contract } from '../contract.ts';
import { risk } from './execute.ts';
import type { RiskParams } from './params.ts';
import { riskRequest } from './request.ts';

const params = { score: 10, object: { type: 'host', id: '{{host}}' }, index: 'risk' };
contract(risk, {
  folder: new URL('./', import.meta.url),
  params,
  missing: { ...params, object: { type: 'host', id: '{{nowhere.to_be_found}}' } },
  connection: null,
  secrets: [],
});

const day = 86_400_000;
const issuesOf = (over: Record<string, unknown>) =>
  checkParams(risk, { ...params, ...over }).map(({ path, message }) => `${path}: ${message}`);
const ofRow = (row: Record<string, unknown>, over: Partial<RiskParams> = {}) =>
  riskRequest(
    rowsCommand([row], { type: 'risk', mode: 'each', row_index: 4 }),
    { ...params, ...over },
    contractNow,
  );

describe('C58 score', () => {
  it.each([
    [10, 10],
    [-2.5, -2.5],
    ['10', 10],
    ['{{n}}', 7.25],
    ['-{{n}}', -7.25],
    [' {{n}} ', 7.25],
  ])('%j is %d', (score, expected) => {
    expect(ofRow({ host: 'h', n: '7.25' }, { score })).toMatchObject({
      scores: [{ score: expected, fidelity: 1, effective: expected, row_index: 4 }],
    });
  });

  it.each([
    ['1e309', 'score: "1e309" is no number'],
    ['NaN', 'score: "NaN" is no number'],
    ['0,5', 'score: "0,5" is no number'],
    ['0x10', 'score: "0x10" is no number'],
    ['1 0', 'score: "1 0" is no number'],
    ['1000000001', 'score: 1000000001 is not from -1000000000 to 1000000000'],
    [null, 'score: {{n}} has no value'],
    [undefined, 'score: {{n}} has no value'],
    [{ a: 1 }, 'score: "{\\"a\\":1}" is no number'],
  ])('a token %j fails and names the field', (n, detail) => {
    expect(ofRow({ host: 'h', n }, { score: '{{n}}' })).toEqual({
      status: 'failed',
      code: 'template',
      retry: 'never',
      detail,
    });
  });

  it.each([
    [{ score: '0,5' }, '/score: is no number'],
    [{ score: 1e10 }, '/score: '],
    [{ score: null }, '/score: '],
    [{ score: '{{x' }, '/score: '],
    [{ object: { type: 'Host', id: 'x' } }, '/object/type: '],
    [{ object: { type: 'host' } }, '/object/id: '],
    [{ object: { type: 'host', id: '' } }, '/object/id: '],
    [{ index: undefined }, '/index: '],
    [{ index: '-x' }, '/index: '],
    [{ index: 'A' }, '/index: '],
    [{ index: 'a*' }, '/index: '],
    [{ index: '{{x}}' }, '/index: '],
  ])('refuses %j and names the field', (over, issue) => {
    const issues = issuesOf(JSON.parse(JSON.stringify(over)));
    const given =
      'index' in over && over.index === undefined
        ? checkParams(risk, { score: 1, object: params.object }).map(({ path }) => `${path}: `)
        : issues;
    expect(given.some((one) => one.startsWith(issue))).toBe(true);
  });
});

describe('C60 object', () => {
  it('C60: missing, empty or too long fails and names the field', () => {
    for (const [row, detail] of [
      [{}, 'object/id: {{host}} has no value'],
      [{ host: '' }, 'object/id: {{host}} has no value'],
      [{ host: '  ' }, 'object/id: is empty'],
      [{ host: 'x'.repeat(257) }, 'object/id: has more than 256 characters'],
    ] as const)
      expect(ofRow(row)).toMatchObject({ status: 'failed', code: 'template', detail });
  });

  it('is one line without marks that turn text round', () => {
    expect(ofRow({ host: ' a\r\nb\u202e ' })).toMatchObject({
      scores: [{ object: { type: 'host', id: 'a b' } }],
    });
  });

  it('keeps result fields', () => {
    const result_fields = { 'source.ip': 'none', job: '{{search.name}}' };
    expect(ofRow({ host: 'h', 'source.ip': '192.0.2.1' }, { result_fields })).toMatchObject({
      scores: [{ fields: { 'source.ip': '192.0.2.1', job: 'Failed logins' } }],
    });
  });
});

describe('C61 scoring types', () => {
  const types = (lifespan: string | null) => ({ scoring_type: 't', scoring_types: { t: { lifespan } } });
  const at = Date.UTC(2026, 3, 28, 12, 0, 0, 5);

  it.each([
    ['P30D', 30 * day],
    ['P1W', 7 * day],
    ['P1DT12H', 1.5 * day],
    ['PT1S', 1_000],
    ['P3653D', 3_653 * day],
    [null, null],
  ])('lifespan %s', (lifespan, ms) => {
    const expires_at = ms === null ? null : at + ms;
    expect(ofRow({ host: 'h' }, types(lifespan))).toMatchObject({ scores: [{ scored_at: at, expires_at }] });
  });

  it.each([
    ['P1Y', 'is no ISO 8601 duration of fixed length, such as P30D'],
    ['30 days', 'is no ISO 8601 duration of fixed length, such as P30D'],
    ['P', 'is no ISO 8601 duration of fixed length, such as P30D'],
    ['PT0S', 'must be from PT1S to ten years'],
    ['P3654D', 'must be from PT1S to ten years'],
  ])('refuses the lifespan %s', (lifespan, message) => {
    expect(issuesOf(types(lifespan))).toEqual([`/scoring_types/t/lifespan: ${message}`]);
  });

  it.each(['gone', 'constructor'])('refuses the unknown type %s', (scoring_type) => {
    expect(issuesOf({ scoring_type })).toEqual(['/scoring_type: is none of default']);
  });

  it('counts from the time of the record that caused it, so that a later decision changes nothing', () => {
    const source = { ...eventCommand().source, timestamp: Date.UTC(2026, 0, 31, 23, 59) };
    const command = eventCommand({ type: 'risk', source, created_at: contractNow });
    const object = { type: 'asset', id: '{{data.asset.id}}' };
    const built = riskRequest(
      command,
      { ...params, object, index: '.smos_risk-{yyyy}.{MM}.{dd}' },
      contractNow,
    );
    expect(built).toMatchObject({
      scores: [{ scored_at: source.timestamp, index: '.smos_risk-2026.01.31', row_index: null }],
    });
  });
});

describe('totals', () => {
  it('count what has begun and not expired; the moment of expiry does not count', () => {
    const scores = [
      { effective: 0.1, scored_at: 10, expires_at: 20 },
      { effective: 0.2, scored_at: 15, expires_at: null },
      { effective: -5, scored_at: 30, expires_at: 40 },
    ];
    expect([9, 10, 15, 19, 20, 30, 40].map((at) => totalAt(scores, at))).toEqual([
      0, 0.1, 0.3, 0.3, 0.2, -4.8, 0.2,
    ]);
  });

  it('C70: the same command twice adds once, and is answered as at first', async () => {
    const ports = fakes();
    const run = (id: string, score: number) =>
      risk.execute(
        rowsCommand([{ host: 'h' }], {
          type: 'risk',
          command_id: id.repeat(32),
          params: { ...params, score },
        }),
        contextFor(risk, ports),
      );
    const first = await run('a', 10);
    await run('b', 5);
    expect(await run('a', 99)).toEqual(first);
    expect(first).toMatchObject({ output: { scores: [{ effective: 10, total: 10 }] } });
    expect(ports.risks.events.map(({ value }) => JSON.parse(value).data.total)).toEqual([10, 15]);
  });

  it('C57: the event says what the object has, under the key of the object', async () => {
    const ports = fakes();
    const command = rowsCommand([{ host: 'h' }], { type: 'risk', params, hops: 2, tenant: 'acme' });
    await risk.execute(command, contextFor(risk, ports));
    const [event] = ports.risks.events;
    expect(event?.key).toBe('host:h');
    expect(JSON.parse(event?.value ?? '')).toMatchObject({
      id: `${command.command_id}.risk.0`,
      event: 'risk.scored',
      hops: 2,
      tenant: 'acme',
      data: {
        object: { type: 'host', id: 'h' },
        effective: 10,
        total: 10,
        expires_at: '2026-05-28T12:00:00.005Z',
      },
    });
  });
});

describe('mode all', () => {
  const all = (rows: Record<string, unknown>[]) =>
    riskRequest(rowsCommand(rows, { type: 'risk' }), params, contractNow);

  it('C57: scores every object once and leaves rows without one out', () => {
    expect(all([{ host: 'a' }, { host: 'b' }, {}, { host: 'a' }])).toMatchObject({
      scores: [{ object: { id: 'a' } }, { object: { id: 'b' } }],
      warnings: ['object/id: {{host}} has no value; its row has no score'],
    });
  });

  it('fails without any object, and with too many', () => {
    expect(all([{}, {}])).toMatchObject({ code: 'template', detail: 'object/id: {{host}} has no value' });
    expect(all([])).toMatchObject({ code: 'template' });
    const many = Array.from({ length: 1_001 }, (_, n) => ({ host: `h${n}` }));
    expect(all(many)).toMatchObject({ code: 'too_large' });
    expect(all(many.slice(1))).toHaveProperty('scores.length', 1_000);
  });
});

it('is tried again when the database is away', async () => {
  const ports = fakes();
  ports.risks.fail(new StoreUnavailable('no'));
  const command = rowsCommand([{ host: 'h' }], { type: 'risk', params });
  expect(await risk.execute(command, contextFor(risk, ports))).toMatchObject({
    code: 'store',
    retry: 'backoff',
  });
});
