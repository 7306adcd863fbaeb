// The incident action: what the values of an event can do to an incident, and what they cannot.
import { describe, expect, it } from 'vitest';
import { checkParams } from '../../domain/action/check-params.ts';
import { incidentIdOf } from '../../domain/incident/incident.ts';
import { StoreUnavailable } from '../../ports/store-unavailable.ts';
import { contextFor, contractNow, fakes } from '../../testing/action-fakes.ts';
import { eventCommand, findingNew, rowsCommand } from '../../testing/fixtures.ts';
import { contract } from '../contract.ts';
import { incident } from './execute.ts';
import type { IncidentParams } from './params.ts';
import { incidentLimits, incidentRequest } from './request.ts';

contract(incident, {
  folder: new URL('./', import.meta.url),
  params: { title: 'Host {{host}}', description: 'On **{{host}}**', additional_fields: { host: 'none' } },
  missing: { title: '{{nowhere.to_be_found}}' },
  connection: null,
  secrets: [],
});

const ofEvent = (params: IncidentParams, data: Record<string, unknown> = {}) =>
  incidentRequest(
    eventCommand({
      type: 'incident',
      event: { ...findingNew, data: { ...findingNew.data, ...data } },
    }),
    params,
    contractNow,
  );
const ofRows = (params: IncidentParams, rows: Record<string, unknown>[], over = {}) =>
  incidentRequest(rowsCommand(rows, { type: 'incident', ...over }), params, contractNow).incident;
const issuesOf = (params: Record<string, unknown>) =>
  checkParams(incident, params).map(({ path, message }) => `${path}: ${message}`);

describe('C17 title', () => {
  it('is one line of at most 255 characters', () => {
    const { incident: made } = ofEvent(
      { title: '{{data.title}}' },
      { title: `a\r\nb\u202e${'x'.repeat(300)}` },
    );
    expect(made.title).toHaveLength(255);
    expect(made.title.startsWith('a bx')).toBe(true);
    expect(made.warnings).toContain('title: cut at 255 characters');
  });

  it('falls back to the name of the rule when nothing is left of it', () => {
    expect(ofEvent({ title: '{{gone}}' }).incident.title).toBe('Critical findings');
    expect(ofEvent({}).incident.title).toBe('Critical findings');
  });
});

describe('C18 severity', () => {
  it.each([
    ['critical', 'Critical', 0],
    ['  HIGH ', 'High', 0],
    ['info', 'Informational', 0],
    ['moderate', 'Medium', 0],
    ['9', 'Medium', 1],
    [9, 'Medium', 1],
    ['', 'Medium', 0],
    [undefined, 'Medium', 0],
  ])('%j is %s', (severity, expected, warnings) => {
    const { incident: made } = ofEvent({}, { severity });
    expect(made.severity).toBe(expected);
    expect(made.warnings).toHaveLength(warnings);
  });

  it('takes names of one’s own, and the default must be one of them', () => {
    const names = { severities: ['P1', 'P2'], default_severity: 'P2' };
    expect(ofEvent({ ...names, severity: 'p1' }).incident.severity).toBe('P1');
    expect(ofEvent(names).incident.severity).toBe('P2');
    expect(issuesOf({ severities: ['P1', 'P2'] })).toEqual(['/default_severity: must be one of P1, P2']);
    expect(issuesOf({ severities: ['Medium', 'medium'] })).toEqual(['/severities/1: medium is named twice']);
  });
});

describe('C19 workflow', () => {
  it('starts in the first status of the graph', () => {
    expect(ofEvent({}).incident).toMatchObject({ status: 'New', workflow: { name: 'default' } });
  });

  it.each([
    [{ initial: 'X' }, '/workflow/initial: X is no status'],
    [{ statuses: { A: ['B'] } }, '/workflow/statuses/A/0: B is no status'],
    [{ closed: ['Z'] }, '/workflow/closed/0: Z is no status'],
    [{ statuses: { A: [], 'B/~': [] } }, '/workflow/statuses/B~1~0: cannot be reached from A'],
    [{ initial: 'constructor' }, '/workflow/initial: constructor is no status'],
  ])('refuses %j', (over, issue) => {
    const workflow = { name: 'w', initial: 'A', statuses: { A: [] }, closed: [], ...over };
    expect(issuesOf({ workflow })).toEqual([issue]);
  });
});

describe('C20 description', () => {
  it('keeps the Markdown of its author; a value is text in it: no link, no HTML, no table cell, no mention', () => {
    const hostile = '[x](javascript:alert(1)) <img src=x onerror=alert(1)> a|b\n# head @all ![i](http://e)';
    const { description } = ofEvent({ description: '**{{data.title}}** <b>' }, { title: hostile }).incident;
    expect(description.startsWith('**') && description.endsWith('** <b>')).toBe(true);
    const value = description.slice(2, -6);
    // CommonMark 0.31 section 2.4: a backslash before ASCII punctuation makes it text.
    expect(value.replace(/\\[!-/:-@[-`{-~]/g, '')).not.toMatch(/[[\]<>|#]|@all/);
  });

  it('is cut where it is too long', () => {
    const { incident: made } = ofEvent({ description: '{{big}}' }, { big: 'x'.repeat(70_000) });
    expect(made.description).toHaveLength(incidentLimits.description);
    expect(made.warnings).toContain(`description: cut at ${incidentLimits.description} characters`);
  });
});

describe('C21 to C24 drilldown', () => {
  const search = (over = {}) => ({ type: 'search' as const, text: 'user={{user}} msg="{{msg}}"', ...over });

  it('K35: has the time range of the search job, as absolute times', () => {
    expect(ofRows({ drilldown: search() }, [{ user: 'eve', msg: 'x' }]).drilldown).toEqual({
      type: 'search',
      text: 'user="eve" msg="x"',
      time_from: '2026-04-28T11:00:00.000Z',
      time_to: '2026-04-28T12:00:00.000Z',
    });
  });

  it('a value adds no term to the query', () => {
    const row = { user: 'a" OR user="root', msg: '" | delete \\' };
    const { drilldown } = ofRows({ drilldown: search() }, [row]);
    const text = (drilldown as { text: string }).text;
    expect(text).toBe('user="a\\" OR user=\\"root" msg="\\" | delete \\\\"');
  });

  it('an event without a time range has the time around it', () => {
    expect(ofEvent({ drilldown: search({ text: 'x' }) }).incident.drilldown).toMatchObject({
      time_from: '2026-04-28T11:45:00.000Z',
      time_to: '2026-04-28T12:15:00.000Z',
    });
  });

  it.each([
    [{ earliest: 'now-2h' }, '2026-04-28T10:00:00.005Z', '2026-04-28T12:00:00.000Z'],
    [{ latest: '2026-04-28T13:00:00+00:00' }, '2026-04-28T11:00:00.000Z', '2026-04-28T13:00:00.000Z'],
    [{ earliest: '{{when}}', latest: 'now+1d' }, '2026-04-01T00:00:00.000Z', '2026-04-29T12:00:00.005Z'],
  ])('bounds %j, one alone or both', (bounds, time_from, time_to) => {
    const row = { user: 'u', msg: 'm', when: '2026-04-01' };
    expect(ofRows({ drilldown: search(bounds) }, [row]).drilldown).toMatchObject({ time_from, time_to });
  });

  it.each([
    [{ earliest: '{{user}}' }, 'drilldown/earliest: is no time; that of the search is used instead'],
    [
      { earliest: 'now', latest: '{{when}}' },
      'drilldown/earliest: is after latest; the range of the search is used instead',
    ],
  ])('values that make no range cost the range, not the incident: %j', (bounds, warning) => {
    const made = ofRows({ drilldown: search(bounds) }, [{ user: 'u', msg: 'm', when: '2026-01-01' }]);
    expect(made.warnings).toEqual([warning]);
    expect(made.drilldown).toMatchObject({
      time_from: '2026-04-28T11:00:00.000Z',
      time_to: '2026-04-28T12:00:00.000Z',
    });
  });

  it.each([
    [search({ earliest: 'now', latest: 'now-1h' }), '/drilldown/earliest: is after latest'],
    [search({ earliest: '2026-02-01', latest: '2026-01-01' }), '/drilldown/earliest: is after latest'],
    [search({ earliest: 'yesterday' }), '/drilldown/earliest: must be RFC 3339, now, or now-15m'],
    [search({ latest: 'now-15y' }), '/drilldown/latest: must be RFC 3339, now, or now-15m'],
    [search({ text: '{{x' }), expect.stringContaining('/drilldown/text: ')],
  ])('refuses %j', (drilldown, issue) => {
    expect(issuesOf({ drilldown })).toEqual([issue]);
  });

  it.each([
    { type: 'link', url: 'data:text/html,x' },
    { type: 'link', url: 'javascript:alert(1)' },
    { type: 'link', url: 'https://{{host}}/' },
    { type: 'link', url: 'https://x/', earliest: 'now-1h' },
    { type: 'shell', text: 'x' },
  ])('refuses %j and names the field', (drilldown) => {
    expect(issuesOf({ drilldown }).every((issue) => issue.startsWith('/drilldown'))).toBe(true);
    expect(issuesOf({ drilldown })).not.toEqual([]);
  });

  it('a value stays within its part of a link', () => {
    const url = 'https://siem.example.com/a/{{data.title}}?q={{data.title}}';
    const { drilldown } = ofEvent({ drilldown: { type: 'link', url } }, { title: '../b?x=1&y#z' }).incident;
    const parsed = new URL((drilldown as { url: string }).url);
    expect([parsed.host, parsed.hash, parsed.searchParams.get('q')]).toEqual([
      'siem.example.com',
      '',
      '../b?x=1&y#z',
    ]);
    expect(parsed.pathname.split('/')).toHaveLength(3);
  });
});

describe('C25 index suffix', () => {
  it('names the index in the event', () => {
    const { incident: made, event } = ofEvent({ index_suffix: 'auth_2-x' });
    expect(made.index_suffix).toBe('auth_2-x');
    expect(JSON.parse(event.value).data.index).toBe('incidents-auth_2-x');
  });

  it.each(['Auth', '-a', '..', 'a*', 'a.b', '', '{{x}}', 'a'.repeat(65)])('refuses %j', (index_suffix) => {
    expect(issuesOf({ index_suffix })).toEqual([expect.stringMatching(/^\/index_suffix: /)]);
  });
});

describe('C27 evidence', () => {
  it('of a set keeps the first rows and says how many there were', () => {
    const rows = Array.from({ length: 150 }, (_, index) => ({ index }));
    const made = ofRows({}, rows);
    expect(made.evidence.rows).toEqual(rows.slice(0, 100));
    expect(made.evidence.total).toBe(150);
    expect(made.warnings).toContain('evidence: 100 of 150 rows are kept');
  });

  it('stops at its bytes', () => {
    const made = ofRows({}, [{ a: 'x'.repeat(200_000) }, { a: 'y'.repeat(100_000) }, { a: 1 }]);
    expect(made.evidence.rows).toHaveLength(1);
  });
});

describe('C28 incident fields', () => {
  const field_definitions = {
    owner: { type: 'text', required: true },
    score: { type: 'number' },
    seen: { type: 'time' },
    open: { type: 'boolean' },
    tags: { type: 'list' },
  } as const;
  const incident_fields = Object.fromEntries(
    Object.keys(field_definitions).map((name) => [name, `{{data.${name}}}`]),
  );

  it('have the types of their definitions', () => {
    const data = { owner: 7, score: '9.8', seen: 1_777_377_600, open: 'true', tags: ['a', 1] };
    const { incident: made } = ofEvent({ field_definitions, incident_fields }, data);
    expect(made.fields).toEqual({
      owner: '7',
      score: 9.8,
      seen: '2026-04-28T12:00:00.000Z',
      open: true,
      tags: ['a', '1'],
    });
    expect(made.warnings).toEqual([]);
  });

  it('a value that does not fit is left out; the incident is made and says so', () => {
    const data = { score: '1e309', seen: 'soon', open: 1, tags: Array(101).fill('x') };
    const { incident: made } = ofEvent({ field_definitions, incident_fields }, data);
    expect(made.fields).toEqual({ owner: null, score: null, seen: null, open: null, tags: null });
    expect(made.warnings).toEqual([
      'incident_fields/owner: {{data.owner}} has no value and was left empty',
      'incident_fields/owner: is required and has no value',
      'incident_fields/score: is no number and was left out',
      'incident_fields/seen: is no time such as 2026-04-28T12:00:00Z and was left out',
      'incident_fields/open: is neither true nor false and was left out',
      'incident_fields/tags: has more than 100 items and was left out',
    ]);
  });

  it('must be defined, and the required ones set', () => {
    expect(issuesOf({ field_definitions, incident_fields: { other: 'x' } })).toEqual([
      '/incident_fields/other: is not in field_definitions',
      '/incident_fields/owner: is required by field_definitions',
    ]);
  });
});

describe('C29, C33 additional fields', () => {
  it('none copies the field of the name, {"literal": "none"} is the word', () => {
    const made = ofRows(
      {
        additional_fields: {
          'source.ip': 'none',
          gone: 'none',
          word: { literal: 'none' },
          n: '{{n}}',
          None: 'None',
        },
      },
      [{ 'source.ip': '192.0.2.1', n: 5 }],
    );
    expect(made.additional_fields).toEqual({ 'source.ip': '192.0.2.1', word: 'none', n: 5, None: 'None' });
    expect(made.warnings).toEqual(['additional_fields/gone: no row has the field gone; it was left out']);
  });

  it('of a set none copies the different values', () => {
    const made = ofRows({ additional_fields: { host: 'none' } }, [
      { host: 'a' },
      { host: 'b' },
      { host: 'a' },
    ]);
    expect(made.additional_fields).toEqual({ host: ['a', 'b'] });
  });

  it('a value that is too large is left out', () => {
    const made = ofRows({ additional_fields: { big: 'none' } }, [{ big: 'x'.repeat(9_000) }]);
    expect(made.additional_fields).toEqual({});
    expect(made.warnings).toEqual(['additional_fields/big: is larger than 8192 bytes and was left out']);
  });

  it.each([
    [{ additional_fields: { title: 'x' } }, '/additional_fields/title: title is a field of its own'],
    [
      {
        field_definitions: { owner: { type: 'text' } },
        additional_fields: { owner: 'x' },
      },
      '/additional_fields/owner: owner is a field of its own',
    ],
  ])('cannot have the name of another field: %j', (params, issue) => {
    expect(issuesOf(params)).toEqual([issue]);
  });
});

describe('C30 inventory', () => {
  const inventory = {
    object_type: 'asset',
    match: { id: '{{data.asset.id}}' },
    copy: ['asset.name', 'gone'],
  };

  it('keeps how the object is found and what the event knew of it', () => {
    const { incident: made } = ofEvent({ inventory });
    expect(made.inventory).toEqual({
      object_type: 'asset',
      match: { id: 'a-1001' },
      copied: { 'asset.name': 'api.example.com' },
    });
    expect(made.warnings).toEqual(['inventory/copy: gone has no value']);
  });

  it('links nothing when the value is missing', () => {
    const { incident: made } = ofEvent({ inventory }, { asset: null });
    expect(made.inventory).toBeNull();
    expect(made.warnings).toContain('inventory/match/id: is empty; the incident is linked to no object');
  });
});

describe('C31 local parameters', () => {
  it('outrank the row, see it, and do not see each other', () => {
    const made = ofRows(
      {
        title: '{{a}} {{b}} {{host}} {{team}}',
        local_params: { a: '{{b}}', b: '{{a}}', host: 'local {{host}}' },
      },
      [{ a: 'row a', b: 'row b', host: 'h' }],
    );
    expect(made.title).toBe('row b row a local h blue');
  });

  it('a value is never a template', () => {
    expect(ofRows({ title: '{{x}}', local_params: { x: '{{y}}' } }, [{ y: '{{z}}', z: 1 }]).title).toBe(
      '{{z}}',
    );
  });
});

describe('C34 identity', () => {
  it('C34: the same command twice makes one incident and answers the same', async () => {
    const ports = fakes();
    const command = eventCommand({ type: 'incident', params: { title: 'one' } });
    const first = await incident.execute(command, contextFor(incident, ports));
    const edited = { ...command, params: { title: 'two' }, created_at: command.created_at + 1_000 };
    const second = await incident.execute(edited, contextFor(incident, ports, { attempt: 2 }));
    expect(second).toEqual(first);
    expect(first).toMatchObject({
      ref: incidentIdOf(command.command_id),
      output: { title: 'one', severity: 'Critical', status: 'New' },
    });
    expect(ports.incidents.incidents).toHaveLength(1);
    expect(ports.incidents.events).toHaveLength(1);
  });

  it('tells of it in an event of its own that keeps the hops, so that rules cannot go round for ever', () => {
    const { event } = incidentRequest(
      eventCommand({ type: 'incident', hops: 3, tenant: 'acme' }),
      {},
      contractNow,
    );
    const id = incidentIdOf('0123456789abcdef0123456789abcdef');
    expect(event.key).toBe(id);
    expect(JSON.parse(event.value)).toMatchObject({
      id: `${id}.created`,
      event: 'incident.created',
      tenant: 'acme',
      hops: 3,
      data: { incident_id: id, severity: 'Critical', status: 'New', rule_id: 'critical-findings' },
    });
  });

  it('is tried again when the database is away', async () => {
    const ports = fakes();
    ports.incidents.fail(new StoreUnavailable('no'));
    const command = eventCommand({ type: 'incident' });
    expect(await incident.execute(command, contextFor(incident, ports))).toEqual({
      status: 'failed',
      code: 'store',
      retry: 'backoff',
      detail: 'the database does not answer',
    });
    ports.incidents.fail(new TypeError('defect'));
    await expect(incident.execute(command, contextFor(incident, ports))).rejects.toThrow('defect');
  });
});
