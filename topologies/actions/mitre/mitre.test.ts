// The mitre action: which techniques are recorded, of what, and for which incident.
import { describe, expect, it } from 'vitest';
import { checkParams } from '../../domain/action/check-params.ts';
import { incidentIdOf } from '../../domain/incident/incident.ts';
import { StoreUnavailable } from '../../ports/store-unavailable.ts';
import { contextFor, contractNow, fakes } from '../../testing/action-fakes.ts';
import { eventCommand, rowsCommand } from '../../testing/fixtures.ts';
import { contract } from '../contract.ts';
import { mitre } from './execute.ts';
import type { MitreParams } from './params.ts';
import { mitreRequest } from './request.ts';

const params = { layer: 'crm', techniques: ['T1059'] };
contract(mitre, {
  folder: new URL('./', import.meta.url),
  params: { ...params, additional_fields: { host: 'none' } },
  missing: { layer: 'crm', techniques: ['T1059', '{{nowhere.to_be_found}}'] },
  connection: null,
  secrets: [],
});

const built = (over: Partial<MitreParams> = {}, row: Record<string, unknown> = {}, command = {}) =>
  mitreRequest(
    rowsCommand([row], { type: 'mitre', mode: 'each', row_index: 2, ...command }),
    { ...params, ...over },
    contractNow,
  );
const recordOf = (...given: Parameters<typeof built>) => {
  const request = built(...given);
  if ('status' in request) throw new Error(request.detail);
  return { ...request.record, warnings: request.warnings, event: JSON.parse(request.event.value) };
};
const issuesOf = (over: Record<string, unknown>) =>
  checkParams(mitre, { ...params, ...over }).map(({ path, message }) => `${path}: ${message}`);

describe('C50 techniques', () => {
  it('takes either case, several in one template, parent and sub-technique, each once; adds the tactics', () => {
    const record = recordOf(
      { techniques: ['t1059', '{{ids}}', 'T1059.001', 'T1059'] },
      { ids: 'T1078, t1110.003;T1059' },
    );
    expect(record.techniques).toEqual(['T1059', 'T1078', 'T1110.003', 'T1059.001']);
    // attack.mitre.org: T1078 has four tactics in Enterprise 18.
    expect(record.tactics).toEqual([
      'credential-access',
      'defense-evasion',
      'execution',
      'initial-access',
      'persistence',
      'privilege-escalation',
    ]);
    expect(record.warnings).toEqual([]);
  });

  it('an unknown, revoked or deprecated id is kept with a warning', () => {
    const record = recordOf({ techniques: ['T9999', 'T1086', 'T1064'] });
    expect(record.techniques).toEqual(['T9999', 'T1086', 'T1064']);
    expect(record.warnings).toEqual([
      'techniques: T9999 is unknown in ATT&CK 18.1',
      'techniques: T1086 is revoked in ATT&CK 18.1',
      'techniques: T1064 is deprecated in ATT&CK 18.1',
    ]);
  });

  it('what is no id is left out with a warning; a list may be a token', () => {
    const record = recordOf({ techniques: ['{{ids}}'] }, { ids: ['T1059', 'T10590', 'x'] });
    expect(record.techniques).toEqual(['T1059']);
    expect(record.warnings).toEqual([
      'techniques/0: "T10590" is no id and was left out',
      'techniques/0: "x" is no id and was left out',
    ]);
  });

  it('without any id, or with too many, it fails and names the field', () => {
    expect(built({ techniques: ['{{ids}}'] })).toMatchObject({
      code: 'template',
      detail: 'techniques: no id in them; techniques/0: {{ids}} has no value and was left empty',
    });
    const ids = Array.from({ length: 101 }, (_, n) => `T${1000 + n}`).join(',');
    expect(built({ techniques: ['{{ids}}'] }, { ids })).toMatchObject({ code: 'too_large' });
  });

  it.each([
    [{ techniques: [] }, '/techniques: '],
    [{ techniques: ['T1059', 'TA0001'] }, '/techniques/1: is no id such as T1059 or T1059.001'],
    [{ techniques: ['T1059.1'] }, '/techniques/0: is no id such as T1059 or T1059.001'],
    [{ techniques: ['{{x'] }, '/techniques/0: '],
    [{ layer: '../x' }, '/layer: '],
    [{ layer: '{{x}}' }, '/layer: '],
    [{ index: 'A' }, '/index: '],
    [{ additional_fields: { incident_id: 'x' } }, '/additional_fields/incident_id: incident_id is a field'],
  ])('refuses %j and names the field', (over, issue) => {
    expect(issuesOf(over).some((one) => one.startsWith(issue))).toBe(true);
  });
});

describe('C51 severity', () => {
  it.each([
    ['critical', 'high', 0],
    ['High', 'high', 0],
    ['medium', 'medium', 0],
    ['low', 'low', 0],
    ['info', 'low', 0],
    ['9', 'medium', 1],
    [undefined, 'medium', 0],
  ])('%j is %s', (severity, expected, warnings) => {
    const record = recordOf({}, severity === undefined ? {} : { severity });
    expect([record.severity, record.original_severity, record.warnings.length]).toEqual([
      expected,
      severity ?? null,
      warnings,
    ]);
  });
});

describe('C55 record', () => {
  it('C45, C47, C48, C49, C53: says of what it is: rule, run, row, index of the month', () => {
    const source = { ...rowsCommand([]).source, timestamp: Date.UTC(2026, 4, 31, 23, 59, 59, 999) };
    const record = recordOf(
      { rule: 'Named', additional_fields: { host: 'none' } },
      { host: 'h' },
      { source },
    );
    expect(record).toMatchObject({
      rule_id: 'critical-findings',
      rule: 'Named',
      name: 'notify',
      run_id: 'run-1',
      event_id: null,
      row_index: 2,
      index: '.smos_mitre-2026.05',
      fields: { host: 'h' },
    });
    expect(record.event).toMatchObject({
      id: `${record.command_id}.mitre`,
      event: 'mitre.recorded',
      data: { '@timestamp': '2026-05-31T23:59:59.999Z', layer: 'crm', attack_version: '18.1' },
    });
    expect(record.event.data).not.toHaveProperty('incident_id');
  });

  it('of an event names the event', () => {
    const request = mitreRequest(eventCommand({ type: 'mitre' }), params, contractNow);
    expect(request).toMatchObject({
      record: { event_id: 'findings.v1/0/42', run_id: null, row_index: null, severity: 'high' },
    });
  });
});

describe('C56 incident', () => {
  const id = incidentIdOf('a'.repeat(32));

  it('of a playbook is the one that it names, or it fails', () => {
    expect(recordOf({ incident_id: '{{i}}' }, { i: id })).toMatchObject({
      incident_id: id,
      event: { data: { incident_id: id } },
    });
    expect(built({ incident_id: '{{i}}' })).toMatchObject({ detail: 'incident_id: {{i}} has no value' });
    expect(built({ incident_id: 'inc-1' })).toMatchObject({ detail: 'incident_id: is no id of an incident' });
  });

  it('of a rule is computed from the entry before it', () => {
    const incident = { key: 'i', mode: 'all', source: 'job-7/run-1' };
    expect(recordOf({}, {}, { incident }).incident_id).toMatch(/^inc-[0-9a-f]{32}$/);
  });
});

it('the same command twice makes one record and is answered as at first', async () => {
  const ports = fakes();
  const command = rowsCommand([{}], { type: 'mitre', mode: 'first', params });
  const first = await mitre.execute(command, contextFor(mitre, ports));
  const edited = { ...command, params: { ...params, layer: 'other' } };
  expect(await mitre.execute(edited, contextFor(mitre, ports))).toEqual(first);
  expect([ports.mitre.records.length, ports.mitre.events.length]).toEqual([1, 1]);
  ports.mitre.fail(new StoreUnavailable('no'));
  expect(await mitre.execute(command, contextFor(mitre, ports))).toMatchObject({ code: 'store' });
});
