// The MITRE ATT&CK risk action: which entities are scored, and by how much.
import { describe, expect, it } from 'vitest';
import { checkParams } from '../../domain/action/check-params.ts';
import { contextFor, contractNow, fakes } from '../../testing/action-fakes.ts';
import { eventCommand, rowsCommand } from '../../testing/fixtures.ts';
import { contract } from '../contract.ts';
import { mitreRisk } from './execute.ts';
import type { MitreRiskParams } from './params.ts';
import { mitreRiskRequest } from './request.ts';

contract(mitreRisk, {
  folder: new URL('./', import.meta.url),
  params: { category: 'system', score: 40, fidelity: 0.5 },
  missing: { category: 'system', score: 1, entity_fields: { system: '{{nowhere.to_be_found}}' } },
  connection: null,
  secrets: [],
});

const ofRow = (row: Record<string, unknown>, params: Partial<MitreRiskParams>) =>
  mitreRiskRequest(
    rowsCommand([row], { type: 'mitre-risk', mode: 'first' }),
    { category: 'user', score: 10, ...params },
    contractNow,
  );
const issuesOf = (over: Record<string, unknown>) =>
  checkParams(mitreRisk, { category: 'user', score: 1, ...over }).map(({ path }) => path);

describe('C65 category', () => {
  const row = { 'user.name': 'eve', host: { name: 'web' } };

  it.each([
    ['user', [{ type: 'user', id: 'eve' }]],
    ['system', [{ type: 'system', id: 'web' }]],
    [
      ['user', 'system'],
      [
        { type: 'system', id: 'web' },
        { type: 'user', id: 'eve' },
      ],
    ],
  ] as const)('%j', (category, objects) => {
    const built = ofRow(row, { category });
    expect('scores' in built && built.scores.map(({ object }) => object)).toEqual(objects);
  });

  it('C63, K28: the default fields, in their order', () => {
    expect(ofRow({ user: 'u' }, {})).toMatchObject({ scores: [{ object: { id: 'u' } }] });
    expect(ofRow({ user: 'u', 'user.name': 'n' }, {})).toMatchObject({ scores: [{ object: { id: 'n' } }] });
    expect(ofRow({ user: '', asset: { name: 'a' } }, { category: 'system' })).toMatchObject({
      scores: [{ object: { id: 'a' } }],
    });
    const event = mitreRiskRequest(eventCommand(), { category: 'system', score: 1 }, contractNow);
    expect(event).toMatchObject({ scores: [{ object: { id: 'api.example.com' }, row_index: null }] });
  });

  it('C65: both chosen and one empty: a score for the other, and a warning', () => {
    expect(ofRow({ host: 'h' }, { category: ['system', 'user'] })).toMatchObject({
      scores: [{ object: { type: 'system', id: 'h' } }],
      warnings: ['entity_fields/user: none of user.name, user has a value; there is no score for the user'],
    });
  });

  it('no entity at all fails and names the field', () => {
    expect(ofRow({}, {})).toMatchObject({
      code: 'template',
      detail: 'entity_fields/user: none of user.name, user has a value',
    });
    expect(ofRow({ d: 'x' }, { entity_fields: { user: '{{d}}\\{{a}}' } })).toMatchObject({
      code: 'template',
      detail: 'entity_fields/user: {{a}} has no value',
    });
  });
});

describe('C67 fidelity', () => {
  it.each([
    [undefined, 10, 1, 10],
    [1, 10, 1, 10],
    [0, 10, 0, 0],
    [0.1, 3, 0.1, 0.3],
    ['{{f}}', 10, 0.25, 2.5],
    [0.5, -4, 0.5, -2],
    [0, -4, 0, 0],
  ])('%j of %d', (fidelity, score, weight, effective) => {
    const built = ofRow({ user: 'u', f: '0.25' }, { score, ...(fidelity === undefined ? {} : { fidelity }) });
    if (!('scores' in built)) throw new Error(built.detail);
    expect(built.scores).toMatchObject([{ score, fidelity: weight }]);
    // As text: minus zero would show.
    expect(JSON.stringify(built.scores[0]?.effective)).toBe(String(effective));
    expect(Object.is(built.scores[0]?.effective, -0)).toBe(false);
  });

  it.each([
    ['-0.1', 'fidelity: -0.1 is not from 0 to 1'],
    ['1.0001', 'fidelity: 1.0001 is not from 0 to 1'],
    ['0,5', 'fidelity: "0,5" is no number'],
    ['', 'fidelity: {{f}} has no value'],
  ])('a token %j fails and names the field', (f, detail) => {
    expect(ofRow({ user: 'u', f }, { fidelity: '{{f}}' })).toMatchObject({ code: 'template', detail });
  });

  it.each([
    [{ fidelity: -0.1 }, '/fidelity'],
    [{ fidelity: 1.0001 }, '/fidelity'],
    [{ fidelity: '0,5' }, '/fidelity'],
    [{ fidelity: '2' }, '/fidelity'],
    [{ category: [] }, '/category'],
    [{ category: 'host' }, '/category'],
    [{ category: ['user', 'user'] }, '/category'],
    [{ score: 'x' }, '/score'],
    [{ entity_fields: { system: '{{x}}' } }, '/entity_fields/system'],
    [{ entity_fields: { user: '{{x' } }, '/entity_fields/user'],
    [{ additional_fields: { incident_id: 'x' } }, '/additional_fields/incident_id'],
    [{ scoring_type: 'x' }, '/scoring_type'],
    [{ index: '../x' }, '/index'],
  ])('refuses %j and names the field', (over, path) => {
    expect(issuesOf(over).some((one) => one.startsWith(path))).toBe(true);
  });
});

it('C62, C64, C66, C70: both entities of one command are written once', async () => {
  const ports = fakes();
  const command = rowsCommand([{ user: 'u', host: 'h' }], {
    type: 'mitre-risk',
    mode: 'first',
    params: { category: ['user', 'system'], score: 4, fidelity: 0.5, name: '{{host}} risk' },
  });
  const first = await mitreRisk.execute(command, contextFor(mitreRisk, ports));
  expect(await mitreRisk.execute(command, contextFor(mitreRisk, ports))).toEqual(first);
  expect(ports.risks.scores).toHaveLength(2);
  expect(ports.risks.scores[0]).toMatchObject({ name: 'h risk', index: '.smos_risk-2026.04', effective: 2 });
  expect(ports.risks.events.map(({ key, value }) => [key, JSON.parse(value).id])).toEqual([
    ['system:h', `${command.command_id}.risk.0`],
    ['user:u', `${command.command_id}.risk.1`],
  ]);
});
