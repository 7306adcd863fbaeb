// Whole Sigma rules: how selections and conditions are joined, what a rule looks like afterwards, and what is refused.
import { expect, test } from 'vitest';
import { holds, ruleOf } from '../ask.ts';
import { importSigma } from './import-sigma.ts';
import { defaultProfile, readProfile } from './profile.ts';

const logsource = { category: 'process_creation', product: 'windows' };
const options = { actions: ['soc'] };

function whenOf(detection: unknown) {
  return ruleOf(importSigma({ title: 't', logsource, detection }, options)).when;
}

// The example of the specification's section "Yaml File", with the fields a rule of SigmaHQ has.
const whoami = {
  title: 'Whoami Execution',
  id: '929a690e-bef0-4204-a928-ef5e620d6fcc',
  status: 'test',
  description: 'Detects a whoami.exe execution',
  references: ['https://speakerdeck.com/heirhabarov/hunting-for-privilege-escalation-in-windows-environment'],
  author: 'Florian Roth',
  date: '2019-10-23',
  tags: ['attack.discovery', 'attack.t1033'],
  logsource,
  detection: { selection: { Image: String.raw`C:\Windows\System32\whoami.exe` }, condition: 'selection' },
  falsepositives: ['Admin activity', 'Scripts'],
  level: 'high',
};

test('what a rule says about itself is kept', () => {
  expect(importSigma(whoami, options)).toEqual({
    issues: [],
    notes: [],
    rule: {
      kind: 'rule',
      id: '929a690e-bef0-4204-a928-ef5e620d6fcc',
      name: 'Whoami Execution',
      description: [
        'Detects a whoami.exe execution',
        'False positives: Admin activity, Scripts',
        '',
        'Sigma rule 929a690e-bef0-4204-a928-ef5e620d6fcc: Whoami Execution',
        'Author: Florian Roth',
        'Licence: Detection Rule License 1.1 (https://github.com/SigmaHQ/Detection-Rule-License) for rules of SigmaHQ',
        'Date: 2019-10-23',
        'References: https://speakerdeck.com/heirhabarov/hunting-for-privilege-escalation-in-windows-environment',
      ].join('\n'),
      priority: 70,
      tags: [
        'attack.discovery',
        'attack.t1033',
        'level.high',
        'status.test',
        'logsource.category.process_creation',
        'logsource.product.windows',
      ],
      when: { 'data.Image': String.raw`C:\Windows\System32\whoami.exe` },
      then: [{ action: 'soc' }],
    },
  });
});

test('a rule reads as a person would write it', () => {
  expect(
    whenOf({
      selection_img: [
        { 'Image|endswith': [String.raw`\powershell.exe`, String.raw`\pwsh.exe`] },
        { OriginalFileName: 'PowerShell.EXE' },
      ],
      selection_cli: { 'CommandLine|contains|all': [' -e', ' -nop '], EventID: 4688 },
      filter_main_parent: { 'ParentImage|startswith': 'C:\\Windows\\' },
      filter_main_user: { User: null },
      condition: 'all of selection_* and not 1 of filter_main_*',
    }),
  ).toEqual({
    any: [
      { 'data.Image': { suffix: [String.raw`\powershell.exe`, String.raw`\pwsh.exe`] } },
      { 'data.OriginalFileName': 'PowerShell.EXE' },
    ],
    'data.CommandLine': { contains_all: [' -e', ' -nop '] },
    'data.EventID': [4688, '4688'],
    not: { any: [{ 'data.ParentImage': { prefix: 'C:\\Windows\\' } }, { 'data.User': null }] },
  });
});

test.each([
  // One field in two selections: together where that means the same, apart where it does not.
  [
    { a: { 'A|startswith': 'x' }, b: { 'A|endswith': 'y' } },
    'a and b',
    { 'data.A': { prefix: 'x', suffix: 'y' } },
  ],
  [
    { a: { 'A|contains': 'x' }, b: { 'A|contains': 'y' } },
    'a and b',
    { 'data.A': { contains_all: ['x', 'y'] } },
  ],
  [
    { a: { 'A|contains': ['x', 'z'] }, b: { 'A|contains': 'y' } },
    'a and b',
    { 'data.A': { contains: ['x', 'z'] }, all: [{ 'data.A': { contains: 'y' } }] },
  ],
  [
    { a: { A: 'x' }, b: { B: 'y' } },
    'not a and not b',
    { not: { any: [{ 'data.A': 'x' }, { 'data.B': 'y' }] } },
  ],
  [{ a: { A: 'x' } }, 'not not a', { 'data.A': 'x' }],
  [{ a: { A: 'x' }, b: { A: 'x' } }, 'a or b', { 'data.A': 'x' }],
  [
    { a: { 'A|contains': ['x', 'y'] }, b: { 'A|contains': ['y', 'z'] }, c: { B: 1 } },
    '1 of them',
    { any: [{ 'data.A': { contains: ['x', 'y', 'z'] } }, { 'data.B': [1, '1'] }] },
  ],
  [{ a: [{ A: 'x' }, { A: null }] }, 'a', { 'data.A': ['x', null] }],
  [{ a: ['x', 'y'] }, 'a', { 'data.*': { contains: ['x', 'y'] } }],
  [
    { a: { '|all': ['x', 'y'] } },
    'a',
    { 'data.*': { contains: 'x' }, all: [{ 'data.*': { contains: 'y' } }] },
  ],
])('%j: %s', (selections, condition, when) => {
  expect(whenOf({ ...selections, condition })).toEqual(when);
});

const selections = { s1: { A: 1 }, s2: { B: 1 }, other: { C: 1 }, _hidden: { D: 1 } };

// Specification, "Condition": operator precedence, `1 of`, `all of`, them, patterns with * anywhere.
test.each([
  ['s1 or s2 and other', ['A', 'BC'], ['B', 'C']],
  ['(s1 or s2) and other', ['AC', 'BC'], ['A', 'AB']],
  ['not s1 and s2', ['B'], ['AB', '']],
  ['not (s1 and s2)', ['A', 'B', ''], ['AB']],
  ['1 of them', ['A', 'B', 'C'], ['D', '']],
  ['any of them', ['A'], ['D']],
  ['all of them', ['ABC'], ['AB', 'BCD']],
  ['1 of s*', ['A', 'B'], ['C']],
  ['all of s*', ['AB'], ['A', 'BC']],
  ['1 of *th*r', ['C'], ['A', 'B']],
  ['1 of _hid*', ['D'], ['A']],
  ['s1 and not 1 of s2*', ['A'], ['AB']],
  ['not all of s*', ['A', ''], ['AB']],
  ['S1 OR other'.toLowerCase(), ['A', 'C'], ['B']],
])('%s', (condition, held, missed) => {
  const rule = ruleOf(
    importSigma({ title: 't', logsource, detection: { ...selections, condition } }, options),
  );
  const event = (letters: string) => ({
    event: 'e',
    data: Object.fromEntries([...letters].map((one) => [one, 1])),
  });
  for (const letters of held) expect([letters, holds(rule, event(letters))]).toEqual([letters, true]);
  for (const letters of missed) expect([letters, holds(rule, event(letters))]).toEqual([letters, false]);
});

test('several conditions are alternatives', () => {
  expect(whenOf({ a: { A: 'x' }, b: { B: 'y' }, condition: ['a', 'b'] })).toEqual({
    any: [{ 'data.A': 'x' }, { 'data.B': 'y' }],
  });
});

test('keywords are found in every text, wherever it stands, and in no name', () => {
  const rule = ruleOf(
    importSigma({ title: 't', logsource, detection: { k: ['evil*svc', 517], condition: 'k' } }, options),
  );
  for (const data of [{ a: 'x EvilMySvc y' }, { a: { b: [1, ['no 517 here']] } }])
    expect(holds(rule, { event: 'e', data })).toBe(true);
  for (const data of [{ 'evil svc': 1 }, { a: 517 }, {}])
    expect(holds(rule, { event: 'evilsvc', data })).toBe(false);
});

test.each([
  ['not a map', 'text', '', 'is a map'],
  ['no title', { ...whoami, title: undefined }, '/title', 'is missing'],
  ['no log source', { ...whoami, logsource: undefined }, '/logsource', 'must be a map'],
  ['an empty log source', { ...whoami, logsource: { definition: 'x' } }, '/logsource', 'names neither'],
  ['no detection', { ...whoami, detection: undefined }, '/detection', 'is missing'],
  ['a detection that is no map', { ...whoami, detection: [] }, '/detection', 'must be a map'],
  ['no condition', { ...whoami, detection: { a: { A: 1 } } }, '/detection/condition', 'is missing'],
  ['no selection', { ...whoami, detection: { condition: 'a' } }, '/detection', 'no selection'],
  ['an unknown level', { ...whoami, level: 'severe' }, '/level', 'must be one of'],
  ['an unknown status', { ...whoami, status: 'new' }, '/status', 'must be one of'],
  ['tags that are no texts', { ...whoami, tags: [1] }, '/tags/0', 'must be a text'],
  ['a correlation', { title: 't', correlation: { type: 'event_count' } }, '/correlation', 'several events'],
  ['a filter', { title: 't', logsource, filter: { rules: 'any' } }, '/filter', 'changes other rules'],
  ['a collection', { action: 'global', title: 't' }, '/action', 'one rule per file'],
  ['a number as a title', { ...whoami, title: 7 }, '/title', 'must be a text'],
])('%s is refused', (_name, document, path, reason) => {
  const { rule, issues } = importSigma(document, options);
  expect([rule, issues]).toEqual([null, [{ path, message: expect.stringContaining(reason) }]]);
});

test.each([
  ['missing', 'no selection "missing"'],
  ['1 of missing*', 'no selection fits'],
  ['2 of s*', 'only 1 of, any of and all of'],
  ['s1 and', 'ends too early'],
  ['s1 s2', 'does not go on with "s2"'],
  ['(s1', 'a bracket is not closed'],
  ['s1)', 'does not go on with ")"'],
  ['and s1', 'stands where a selection is expected'],
  ['', 'ends too early'],
  ['s1 | count() > 5', 'counts events over time'],
  ['s1 | count(A) by B > 5', 'counts events over time'],
  ['s1 near s2', 'does not go on with "near"'],
  [`${'('.repeat(40)}s1${')'.repeat(40)}`, 'nest to 32 levels'],
  [`${'not '.repeat(5000)}s1`, 'at most 2000 words'],
])('the condition %s is refused', (condition, reason) => {
  const detection = { ...selections, condition };
  const { rule, issues } = importSigma({ title: 't', logsource, detection }, options);
  expect(rule).toBeNull();
  expect(issues).toEqual([{ path: '/detection/condition', message: expect.stringContaining(reason) }]);
});

test('a rule that is retired is switched off; a selection without use is noted', () => {
  const detection = { a: { A: 1 }, b: { B: 1 }, condition: 'a' };
  const { rule, notes } = importSigma({ title: 'T', logsource, detection, status: 'deprecated' }, options);
  expect(rule?.enabled).toBe(false);
  expect(notes).toEqual([
    'the status is deprecated: the rule is imported switched off',
    'the condition does not use b',
  ]);
});

test('authors stay named however long the description is', () => {
  const rule = ruleOf(importSigma({ ...whoami, description: 'x'.repeat(60_000) }, options));
  expect(rule.description?.length).toBe(4096);
  expect(rule.description).toContain('Author: Florian Roth');
});

test('a rule that is larger than a rule may be is refused', () => {
  const detection = { s: { A: Array.from({ length: 9_999 }, (_, n) => `value-${n}`) }, condition: 's' };
  const { rule, issues } = importSigma({ title: 't', logsource, detection }, options);
  expect([rule, issues[0]?.message]).toEqual([null, expect.stringContaining('65536 bytes')]);
});

test('a profile says where fields are and what events of a source look like', () => {
  const { profile } = readProfile({
    prefix: 'data.winlog.',
    fields: { User: 'data.user.name' },
    lists: { Admins: 'admin-accounts' },
    zone: 'Europe/Berlin',
    sources: [
      { logsource: { product: 'windows' }, when: { 'data.os': 'windows' } },
      {
        logsource: { product: 'windows', category: 'process_creation' },
        when: { 'data.code': 1 },
        fields: { Image: 'data.process.executable' },
      },
    ],
  });
  const detection = {
    s: { Image: 'a', User: 'b', Other: 'c', 'N|expand': '%Admins%', 'T|hour': 3 },
    k: ['word'],
    condition: 's and k',
  };
  const { rule } = importSigma({ title: 't', logsource, detection }, options, profile ?? defaultProfile);
  expect(rule?.when).toEqual({
    'data.code': 1,
    'data.process.executable': 'a',
    'data.user.name': 'b',
    'data.winlog.Other': 'c',
    'data.winlog.N': { in_list: 'admin-accounts' },
    'data.winlog.T': { hour: 3, time_zone: 'Europe/Berlin' },
    'data.winlog.*': { contains: 'word' },
  });
  const linux = { title: 't', logsource: { product: 'linux' }, detection };
  expect(importSigma(linux, options, profile ?? defaultProfile).issues).toEqual([
    { path: '/logsource', message: 'no source of the profile fits' },
  ]);
});

test.each([
  [[], [['', 'must be a map']]],
  [{ field: {} }, [['/field', 'is unknown']]],
  [
    { prefix: 1, fields: { a: 2 }, sources: {} },
    [
      ['/fields/a', 'must be a text'],
      ['/prefix', 'must be a text'],
      ['/sources', 'must be a list'],
    ],
  ],
  [
    { sources: [{ when: [] }] },
    [
      ['/sources/0/when', 'must be a map'],
      ['/sources/0/logsource', 'must be a map'],
    ],
  ],
  [{ sources: [{ logsource: { os: 'x' } }] }, [['/sources/0/logsource/os', 'is unknown']]],
])('the profile %j has faults', (content, faults) => {
  const { profile, issues } = readProfile(content);
  expect(profile).toBeNull();
  expect(issues).toEqual(
    faults.map(([path, reason]) => ({ path, message: expect.stringContaining(reason as string) })),
  );
});
