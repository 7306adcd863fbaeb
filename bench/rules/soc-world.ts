// The made-up company that the SOC mix is about: the values that its events have and its rules ask for, with how common
// they are. All text is in lower case except CVE ids, which rules and events write alike: event-ruler compares text
// exactly, Tocsin ignores case, and on such data both mean the same.
import type { SeededRandom } from './random.ts';

export const eventTypes = [
  ['finding.new', 60],
  ['finding.updated', 20],
  ['finding.resolved', 9],
  ['finding.reopened', 5],
  ['scan.completed', 4],
  ['asset.discovered', 2],
] as const;

/** Lowest first, as the severity scale of the rule language. */
export const severities = [
  ['informational', 20],
  ['low', 25],
  ['medium', 30],
  ['high', 18],
  ['critical', 7],
] as const;

export const scanTypes = ['web', 'network', 'cloud', 'container', 'code', 'host'] as const;
export const workflows = ['open', 'confirmed', 'in-progress', 'accepted', 'false-positive'] as const;
export const ports = [22, 25, 53, 80, 110, 143, 443, 445, 1433, 3306, 3389, 5432, 6379, 8080, 8443, 9200];

const numbered = (prefix: string, count: number, digits: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${String(index).padStart(digits, '0')}`);

export const environments = ['production', 'staging', 'development', 'test'] as const;
export const tags = numbered('team-', 1_000, 3);
export const groups = numbered('site-', 1_000, 3);
export const cves = Array.from(
  { length: 5_000 },
  (_, index) => `CVE-${2017 + (index % 10)}-${10_000 + index * 7}`,
);
export const zones = numbered('dc', 60, 2).map((name) => `.${name}.example.com`);

const subjects = [
  'sql injection',
  'cross-site scripting',
  'remote code execution',
  'path traversal',
  'weak cipher',
  'open redirect',
  'default credentials',
  'exposed admin panel',
  'outdated library',
  'missing header',
  'information disclosure',
  'privilege escalation',
  'deserialization flaw',
  'server-side request forgery',
  'expired certificate',
];
const places = [
  '/api/login',
  '/api/search',
  '/admin',
  'the mail gateway',
  'the vpn',
  'jenkins',
  'the file server',
  'the build agent',
  'an s3 bucket',
  'the proxy',
  'the user portal',
  'an old host',
  'the database',
  'a container image',
  'the ldap server',
  'the wiki',
  'the shop',
  'a printer',
  'the firewall',
  'the backup job',
];
export const titles = subjects.flatMap((subject) =>
  places.flatMap((place) =>
    Array.from({ length: 4 }, (_, version) => `${subject} in ${place}, variant ${version}`),
  ),
);

export function hostName(random: SeededRandom): string {
  return `${random.pick(['web', 'app', 'db', 'mx', 'ci'])}-${String(random.below(1_000)).padStart(3, '0')}${random.pick(zones)}`;
}

/** 10.0.0.0/8, three quarters of it in the first sixteenth, as address plans are. */
export function address(random: SeededRandom): string {
  const second = random.chance(0.75) ? random.below(16) : random.below(256);
  return `10.${second}.${random.below(256)}.${random.between(1, 254)}`;
}
