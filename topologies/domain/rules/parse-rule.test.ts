// Rules that are refused: each error names the field and says what is wrong.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { context } from '../../testing/rules.ts';
import { compileRules } from './compile.ts';
import { actionKeys, checkRule, parseRule } from './parse-rule.ts';

const then = [{ action: 'mail' }];
const base = { kind: 'rule', id: 'r', then };

function whenIssues(when: unknown, more: object = {}): string[] {
  return checkRule({ ...base, when, ...more }).map(({ path, message }) => `${path}: ${message}`);
}

test('a whole rule without issues', () => {
  const document = {
    ...base,
    name: 'Known exploited vulnerability on production',
    enabled: true,
    priority: 50,
    when: {
      events: ['finding.new'],
      exclude: ['finding.info'],
      min_severity: 'high',
      scan_type: ['web', 'network'],
      asset_groups: ['dmz'],
      asset_tags: { any: ['production', 'pci'], none: ['decommissioned'] },
      vulnerabilities: ['CVE-2024-3094', 'CWE-89'],
      'data.cvss': { gte: 7 },
      'data.asset.criticality': { gte: 'high' },
      any: [{ 'data.title': { contains: ['sql injection', 'sqli'] } }, { 'data.kev': true }],
      not: { 'data.asset.name': { suffix: '.lab.example' } },
    },
    run: 'each',
  };
  expect(checkRule(document)).toEqual([]);
});

describe('the document', () => {
  test.each([
    [{ ...base, when: { event: 'x' }, wehn: {} }, '/wehn', 'unknown field'],
    [{ ...base, when: { event: 'x' }, priority: 'high' }, '/priority', 'must be integer'],
    [{ ...base, when: [] }, '/when', 'must be object'],
    [{ kind: 'rule', id: 'r', when: { event: 'x' } }, '/then', 'is required'],
    [{ ...base, when: { event: 'x' }, then: [] }, '/then', 'must NOT have fewer than 1 items'],
    [
      { ...base, when: { event: 'x' }, then: [{ action: 'a', mode: 'twice' }] },
      '/then/0/mode',
      'must be one of each, first, all',
    ],
    [
      { ...base, when: { event: 'x' }, then: Array(51).fill({ action: 'a' }) },
      '/then',
      'must NOT have more than 50 items',
    ],
    [{ ...base }, '/when', 'is empty; match_all: true makes a rule match everything'],
    [{ ...base, when: {} }, '/when', 'is empty; match_all: true makes a rule match everything'],
    [
      { ...base, when: {}, match_all: false },
      '/when',
      'is empty; match_all: true makes a rule match everything',
    ],
    [
      { ...base, when: { event: 'x' }, match_all: true },
      '/match_all',
      'a rule with conditions cannot match all',
    ],
  ])('%j', (document, path, message) => {
    expect(checkRule(document)).toContainEqual({ path, message });
  });
  test.each([null, undefined, 'rule', 7, []])('%j is no rule', (document) => {
    expect(checkRule(document)).toHaveLength(1);
  });
  test('a playbook must exist, and is started by one entry', () => {
    const then = (...entries: object[]) => ({ ...base, when: { event: 'x' }, then: entries });
    const one = then({ action: 'a' }, { playbook: 'p', with: { host: { $: 'finding.host' }, n: 1 } });
    expect(checkRule(one)).toEqual([]);
    expect(checkRule(one, { playbooks: new Set(['p']) })).toEqual([]);
    expect(checkRule(one, { playbooks: new Set(['a']) })).toEqual([
      { path: '/then/1/playbook', message: 'the playbook p does not exist' },
    ]);
    expect(checkRule(then({ playbook: 'p' }, { action: 'a' }, { playbook: 'p' }))).toEqual([
      {
        path: '/then/2/playbook',
        message: 'p is started by another entry; a playbook runs once for an event',
      },
    ]);
    const early = then({ playbook: 'p', with: { a: { $: 'steps.x.status' }, b: '{{vars.y}}' } });
    expect(checkRule(early)).toEqual([
      {
        path: '/then/0/with',
        message: 'steps.x.status is not known when a run starts: event and finding are',
      },
    ]);
    const broken = then({ playbook: 'p', with: { a: { $: 'host' }, b: '{{#x}}' } });
    expect(checkRule(broken).map(({ path }) => path)).toEqual(['/then/0/with/a/$', '/then/0/with/b']);
  });
  test('actions must exist where it is known which do', () => {
    const document = { ...base, when: { event: 'x' }, then: [{ action: 'mail' }, { action: 'gone' }] };
    expect(checkRule(document)).toEqual([]);
    const issues = checkRule(document, { actions: new Set(['mail']) });
    expect(issues).toEqual([{ path: '/then/1/action', message: 'the action gone does not exist' }]);
  });
  test('the uses of an action have different keys', () => {
    const twice = { ...base, when: { event: 'x' }, then: [{ action: 'a' }, { action: 'b', key: 'a' }] };
    expect(checkRule(twice)).toEqual([{ path: '/then/1/key', message: 'a is the key of another entry' }]);
    expect(
      actionKeys([
        { action: 'a' },
        { action: 'a' },
        { action: 'b' },
        { action: 'a', key: 'k' },
        { action: 'a' },
      ]),
    ).toEqual(['a', 'a#2', 'b', 'k', 'a#3']);
  });
});

describe('conditions', () => {
  test.each<[unknown, string]>([
    [
      { min_sevrity: 'high' },
      '/when/min_sevrity: unknown field; a path starts with data., with id, event, timestamp, tenant, hops, or with envelope. for other members of the event',
    ],
    [
      { severity: 'urgent' },
      '/when/severity: must be a severity: informational, low, medium, high, critical',
    ],
    [
      { severity: ['high', 3] },
      '/when/severity/1: must be a severity: informational, low, medium, high, critical',
    ],
    [
      { min_severity: 'urgent' },
      '/when/min_severity: must be a severity: informational, low, medium, high, critical',
    ],
    [
      { min_severity: ['high'] },
      '/when/min_severity: must be a severity: informational, low, medium, high, critical',
    ],
    [{ severity: { prefix: 'h' } }, '/when/severity/prefix: this operator does not fit here'],
    [{ severity: { cased: 'High' } }, '/when/severity/cased: this operator does not fit here'],
    [
      { vulnerabilities: 'CVE-2021-*' },
      '/when/vulnerabilities: a wildcard is no identifier; ask a path such as data.cve with wildcard',
    ],
    [{ vulnerabilities: { gt: 1 } }, '/when/vulnerabilities/gt: this operator does not fit here'],
    [{ events: 7 }, '/when/events: must be an event type such as finding.new'],
    [{ events: [] }, '/when/events: an empty list never matches'],
    [{ events: '*' }, '/when/events: a wildcard stands for everything of one family: finding.*'],
    [{ events: '.*' }, '/when/events: a wildcard stands for everything of one family: finding.*'],
    [
      { exclude: ['a', 'f*.new'] },
      '/when/exclude/1: a wildcard stands for everything of one family: finding.*',
    ],
    [{ 'data.a': [] }, '/when/data.a: an empty list never matches'],
    [{ 'data.a': {} }, '/when/data.a: an operator is missing'],
    [{ 'data.a': [['x']] }, '/when/data.a/0: a list in a list is not possible'],
    [{ 'data.a': [{ prefix: 'x' }] }, '/when/data.a/0: must be a string, a number or a boolean'],
    [{ 'data.a': { startswith: 'x' } }, '/when/data.a/startswith: unknown operator'],
    [{ 'data.a': { toString: 'x' } }, '/when/data.a/toString: unknown operator'],
    [
      { 'data.a': { gt: '7' } },
      '/when/data.a/gt: must be a finite number or a severity; after and before are for dates',
    ],
    [
      { 'data.a': { gt: Number.NaN } },
      '/when/data.a/gt: must be a finite number or a severity; after and before are for dates',
    ],
    [{ 'data.a': { gt: 1, gte: 1 } }, '/when/data.a: gt and gte exclude each other'],
    [{ 'data.a': { lt: 1, lte: 1 } }, '/when/data.a: lt and lte exclude each other'],
    [{ 'data.a': { gt: 5, lt: 3 } }, '/when/data.a: nothing lies within these bounds'],
    [{ 'data.a': { gt: 5, lte: 5 } }, '/when/data.a: nothing lies within these bounds'],
    [
      { 'data.a': { gte: 'low', lt: 5 } },
      '/when/data.a: numbers and severities cannot be mixed in one range',
    ],
    [{ 'data.a': Number.POSITIVE_INFINITY }, '/when/data.a: must be a finite number'],
    [{ 'data.a': { prefix: '' } }, '/when/data.a/prefix: an empty text is in every text'],
    [{ 'data.a': { contains: ['x', 7] } }, '/when/data.a/contains/1: must be a string'],
    [{ 'data.a': { exists: 'yes' } }, '/when/data.a/exists: must be true or false'],
    [
      { 'data.a': { not: { exists: true } } },
      '/when/data.a/not: write exists: true or exists: false without not',
    ],
    [{ 'data.a': { not: { not: 'x' } } }, '/when/data.a/not: not within not is not possible'],
    [{ 'data.a': { none: null } }, '/when/data.a/none: must be a string, a number or a boolean'],
    [{ any: { 'data.a': 1 } }, '/when/any: must be a list of objects of conditions'],
    [{ any: [] }, '/when/any: a condition is missing'],
    [{ any: [{}] }, '/when/any/0: a condition is missing'],
    [{ all: ['x'] }, '/when/all/0: must be an object of conditions'],
    [{ not: [{ 'data.a': 1 }] }, '/when/not: must be an object of conditions'],
    [{ not: {} }, '/when/not: a condition is missing'],
    [{ 'data..a': 1 }, '/when/data..a: a path is names with single dots between them'],
    [{ 'data.': 1 }, '/when/data.: a path is names with single dots between them'],
    [{ 'data.a/b~c': [] }, '/when/data.a~1b~0c: an empty list never matches'],
    [{ [`data.${'a.'.repeat(32)}b`]: 1 }, `/when/data.${'a.'.repeat(32)}b: a path has at most 32 fields`],
    [{ [`data.${'a'.repeat(512)}`]: 1 }, `/when/data.${'a'.repeat(512)}: a path has at most 512 characters`],
  ])('%j', (when, issue) => expect(whenIssues(when)).toEqual([issue]));

  test('every issue is reported, not the first one', () => {
    const when = { min_severity: 'x', any: [{ 'data.a': { regex: '(' } }, { 'data.b': [] }], nonsense: 1 };
    expect(whenIssues(when).map((issue) => issue.split(':')[0])).toEqual([
      '/when/min_severity',
      '/when/any/0/data.a/regex',
      '/when/any/1/data.b',
      '/when/nonsense',
    ]);
  });

  test.each(['events', 'exclude', 'scan_type', 'category'])('%s has no meaning for rows', (alias) => {
    const message = 'has no meaning for rows of search results';
    expect(whenIssues({ [alias]: 'x' }, { source: 'search-results' })).toEqual([
      `/when/${alias}: ${message}`,
    ]);
  });

  test('rows are free-form, but row and search need a field', () => {
    expect(whenIssues({ failed_logins: { gt: 5 } }, { source: 'search-results' })).toEqual([]);
    expect(whenIssues({ row: 1 }, { source: 'search-results' })).toEqual([
      '/when/row: name a field: row.<field>',
    ]);
  });
});

describe('limits', () => {
  const nested = (levels: number): object => (levels === 1 ? { 'data.a': 1 } : { not: nested(levels - 1) });
  test('16 levels', () => {
    expect(whenIssues(nested(16))).toEqual([]);
    expect(whenIssues(nested(17))).toEqual([`/when${'/not'.repeat(16)}: conditions have at most 16 levels`]);
  });
  test('500 conditions and operators', () => {
    const conditions = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`data.f${index}`, 1]));
    expect(whenIssues(conditions(500))).toEqual([]);
    expect(whenIssues(conditions(600))).toEqual([
      '/when/data.f500: a rule has at most 500 conditions and operators',
    ]);
  });
  test('10,000 values in a list', () => {
    const ids = Array.from({ length: 10_001 }, (_, index) => index);
    expect(whenIssues({ 'data.a': ids.slice(1) })).toEqual([]);
    expect(whenIssues({ 'data.a': ids })).toEqual([
      '/when/data.a: a list has at most 10000 values; more belong into a named list (in_list)',
    ]);
  });
  test('64 KB', () => {
    const fitting = 65536 - Buffer.byteLength(JSON.stringify({ ...base, when: { 'data.a': '' } }));
    expect(whenIssues({ 'data.a': 'x'.repeat(fitting) })).toEqual([]);
    expect(whenIssues({ 'data.a': 'x'.repeat(fitting + 1) })).toEqual([': a rule has at most 65536 bytes']);
    expect(whenIssues({ 'data.a': 'ö'.repeat(fitting / 2 + 1) })).toEqual([
      ': a rule has at most 65536 bytes',
    ]);
  });
  test('depth and repeated anchors exhaust nothing', () => {
    const deep = JSON.parse(`${'{"not":'.repeat(100_000)}1${'}'.repeat(100_000)}`);
    expect(whenIssues(deep)).toEqual([': a rule has at most 64 levels and 65536 bytes']);
    let laughs: unknown = 'ha';
    for (let level = 0; level < 20; level++) laughs = Array(10).fill(laughs);
    expect(whenIssues({ 'data.a': laughs })).toEqual([': a rule has at most 64 levels and 65536 bytes']);
  });
});

test('any JSON at all is checked without throwing, and what passes evaluates without throwing', () => {
  const event = { event: 'finding.new', data: { a: [null, { b: 1 }], severity: 'high' } };
  const operands = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(
      'x',
      '*',
      '(',
      '10.0.0.0/8',
      'now-1d',
      'a-list',
      'data.b',
      'UTC',
      'i',
      7,
      ['x', 7],
      'mon',
    ),
  );
  const operators = fc.dictionary(
    fc.constantFrom(
      ...['wildcard', 'regex', 'flags', 'cidr', 'in_list', 'field', 'after', 'before', 'hour', 'weekday'],
      ...['time_zone', 'other_than', 'type', 'cased', 'not', 'in', 'gt', 'year', 'contains'],
    ),
    operands,
    { noNullPrototype: true, maxKeys: 2 },
  );
  const block = fc.dictionary(fc.constantFrom('a', 'a.b', 'element.a', 'any'), operators, {
    noNullPrototype: true,
  });
  const when = fc.dictionary(
    fc.constantFrom(
      'any',
      'all',
      'not',
      'each',
      'events',
      'exclude',
      'min_severity',
      'severity',
      'data.a',
      'data.a.b',
      '__proto__',
      'asset_tags',
    ),
    fc.oneof(
      fc.jsonValue(),
      operators,
      fc.record({ path: fc.constantFrom('data.a', 'x'), match: fc.oneof(fc.jsonValue(), block) }),
      fc.constantFrom({ not: [1] }, { gt: 'low' }, [{ 'data.a': 1 }], { 'data.a': { contains: 'x' } }),
    ),
    { noNullPrototype: true },
  );
  let passed = 0;
  fc.assert(
    fc.property(when, (generated) => {
      const { rule } = parseRule({ ...base, when: generated });
      if (rule === null) return;
      passed += 1;
      compileRules([{ ...rule, revision: 1 }]).match(
        { source: 'events', fields: event, search: null },
        context,
      );
    }),
    { numRuns: 2000 },
  );
  expect(passed).toBeGreaterThan(10);
});
