// The few names and values that generated rules and events are made of, chosen so that they meet often and hurt.

export const names = ['a', 'b', 'tags', '__proto__', 'constructor', 'toString', 'a.b'];

export const texts = [
  'x',
  'X',
  'xy',
  'YX',
  'x\ny',
  'Σας',
  'ΣΑΣ',
  'σ',
  'İ',
  'i̇',
  'straße',
  'STRASSE',
  '',
  ' ',
  'true',
  '1',
  'high',
  '__proto__',
  '😀',
  'a😀*',
  'x?\\y',
  '\ud83d',
];

export const numbers = [0, -0, 1, 2, 2.5, 9.8, -1, 1e21, 5e-324];

export const severityWords = [
  'info',
  'Informational',
  'none',
  'low',
  'MEDIUM',
  'moderate ',
  ' High',
  'important',
  'critical',
];

export const oddSeverities = [
  'Kritisch',
  '',
  11,
  -1,
  null,
  true,
  ['high'],
  ['low', ['CRITICAL ']],
  'constructor',
  {},
];

export const types = [
  'finding.new',
  'Finding.New',
  'finding.status_changed',
  'finding',
  'finding.info',
  'findings.new',
  'scan.completed',
  'a.b.c',
  '__proto__',
];

export const ids = [
  'CVE-2024-3094',
  ' cve-2024-3094',
  'cwe-89',
  'CWE-89 ',
  'GHSA-aaaa-bbbb-cccc',
  'sqli-detect',
];

/** Patterns that fit some of the texts. */
export const wildcards = [
  '*',
  '?',
  '??',
  'x*',
  '*y',
  '?y',
  'x?y',
  '*Σ',
  'σ?*',
  '*s*',
  'str*e',
  '*A😀\\*',
  'a?\\*',
  '*\\?\\\\*',
  'x\\y',
  'i?',
  '*_*_*',
];

export const regexes = [
  'x',
  '^x',
  'x$',
  '^x.y$',
  '^.$',
  '^..$',
  '[A-Z]+',
  '(?i)σας',
  'σ|Σ',
  '\\bx',
  '^$',
  '(x+)+$',
  '\\d',
  'S{2}',
  '\\p{Greek}{2}',
  '[^\\x00-\\x7f]',
];

export const networks = [
  '10.0.0.0/8',
  '10.0.0.0/31',
  '10.0.0.1',
  '10.9.0.0/16',
  '0.0.0.0/0',
  '::ffff:10.0.0.0/104',
  '::ffff:0:0/96',
  '::/0',
  '::/64',
  '::1',
  '2001:db8::/32',
  'fe80::/10',
];

export const addresses = [
  '10.0.0.1',
  '10.9.1.1',
  '10.0.0.2',
  '11.0.0.1',
  '10.0.0.1:443',
  '10.0.0.1:65536',
  '::ffff:10.0.0.1',
  '::FFFF:0A00:0001',
  '[::1]:443',
  '[::1]',
  '[10.0.0.1]',
  '::1',
  '::',
  '0:0:0:0:0:0:0:1',
  'fe80::1%eth0',
  'fe80::1%',
  '2001:DB8::1',
  '2001:db8:0:0:1::',
  '010.0.0.1',
  '10.0.0.256',
  '10.0.0.1 ',
  '10.0.0.0/8',
  '1.2.3',
  ':::',
];

/** Around this moment the dates of events and rules lie: 2026-01-15T12:00:00Z. */
export const moment = 1_768_478_400_000;

export const dates = [
  '2026-01-15T12:00:00Z',
  '2026-01-15 12:00',
  '2026-01-15t13:00:00.001+01:00',
  '2026-01-15',
  '2026-01-08T11:59:59.999999Z',
  '2026-01-15T23:30:00-0500',
  '2026-03-29T01:30:00Z',
  '2026-10-25T00:30:00Z',
  '2025-12-29T00:00:00Z',
  '2027-01-03',
  '2024-02-29T23:59:60Z',
  '2026-02-29',
  '2026-01-15T24:00:00Z',
  '2026-1-15',
  '1970-01-01T00:00:00Z',
  '9999-12-31T23:59:59Z',
  'tomorrow',
  moment,
  moment / 1000,
  moment - 7 * 86_400_000,
  moment / 1000 - 3600.5,
  99_999_999_999,
  100_000_000_000,
  -1e12,
  8.64e15,
  1e300,
];

export const dateBounds = [
  'now',
  'now-7d',
  'now-1h',
  'now+90m',
  'now-2w',
  'now+0s',
  '2026-01-15',
  '2026-01-15T12:00:00Z',
  '2026-01-15T13:00:00+01:00',
  '1970-01-01',
  moment,
  moment / 1000,
];

export const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', '+02:00'];

export const listIds = ['plain', 'exact', 'ids', 'networks', 'numbers', 'both', 'missing'];
