// Changes of incidents: along the graph, with old and new values, and nothing else.
import { describe, expect, it } from 'vitest';
import { type Changeable, decideChange } from './change.ts';
import { defaultWorkflow } from './workflow.ts';

const incident: Changeable = {
  title: 't',
  severity: 'High',
  severities: ['High', 'Low'],
  status: 'New',
  workflow: defaultWorkflow,
  assignee: null,
  description: '',
  field_definitions: { owner: { type: 'text', required: true }, score: { type: 'number' } },
  fields: { owner: 'o', score: null },
  additional_fields: { a: 1 },
};
const edges = [
  ['New', 'In Progress'],
  ['New', 'Rejected'],
  ['In Progress', 'Verification'],
  ['In Progress', 'Rejected'],
  ['Verification', 'In Progress'],
  ['Verification', 'Closed'],
  ['Rejected', 'In Progress'],
  ['Closed', 'In Progress'],
].map((edge) => edge.join(' > '));
const statuses = ['New', 'In Progress', 'Verification', 'Rejected', 'Closed'];

describe('status', () => {
  it.each(statuses.flatMap((from) => statuses.map((to) => [from, to] as const)))('%s > %s', (from, to) => {
    const decided = decideChange({ ...incident, status: from }, { verb: 'status', status: to });
    if (edges.includes(`${from} > ${to}`))
      expect(decided).toEqual({ changes: [{ field: 'status', old: from, new: to }], next: { status: to } });
    else expect(decided).toMatchObject({ refused: 'conflict', path: '/status' });
  });

  it.each(['Gone', 'constructor', '__proto__', ''])('%j is none', (status) => {
    expect(decideChange(incident, { verb: 'status', status })).toMatchObject({
      refused: 'invalid',
      path: '/status',
    });
  });
});

describe('edit', () => {
  it('tells old and new values of what changed, and of nothing else', () => {
    const edit = {
      title: 't',
      severity: 'Low',
      fields: { score: '5' },
      additional_fields: { a: null, b: 'x' },
    };
    expect(decideChange(incident, { verb: 'edit', edit })).toEqual({
      changes: [
        { field: 'severity', old: 'High', new: 'Low' },
        { field: 'fields/score', old: null, new: 5 },
        { field: 'additional_fields/a', old: 1, new: null },
        { field: 'additional_fields/b', old: null, new: 'x' },
      ],
      next: { severity: 'Low', fields: { owner: 'o', score: 5 }, additional_fields: { b: 'x' } },
    });
  });

  it('that changes nothing is no change', () => {
    const edit = { title: 't', fields: { owner: 'o' }, additional_fields: { a: 1 } };
    expect(decideChange(incident, { verb: 'edit', edit })).toEqual({ changes: [], next: {} });
  });

  it.each([
    [{ severity: 'high' }, '/severity', 'is none of High, Low'],
    [{ fields: { gone: 1 } }, '/fields/gone', 'is no field of this incident'],
    [{ fields: { constructor: 1 } }, '/fields/constructor', 'is no field of this incident'],
    [{ fields: { score: '0,5' } }, '/fields/score', 'is no number'],
    [{ fields: { owner: null } }, '/fields/owner', 'is required'],
    [
      { additional_fields: Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`n${n}`, n])) },
      '/additional_fields',
      'an incident has at most 100',
    ],
  ])('refuses %j and names the field', (edit, path, message) => {
    expect(decideChange(incident, { verb: 'edit', edit: edit as never })).toEqual({
      refused: 'invalid',
      path,
      message,
    });
  });
});

it('assigns, and takes back', () => {
  expect(decideChange(incident, { verb: 'assign', assignee: 'eve' })).toMatchObject({
    changes: [{ field: 'assignee', old: null, new: 'eve' }],
  });
  expect(decideChange({ ...incident, assignee: 'eve' }, { verb: 'assign', assignee: null })).toMatchObject({
    next: { assignee: null },
  });
});
