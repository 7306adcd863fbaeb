// Events of the SOC mix: findings in the event envelope, each of exactly 631 bytes.
import type { SeededRandom } from './random.ts';
import { seededRandom } from './random.ts';
import {
  address,
  cves,
  environments,
  eventTypes,
  groups,
  hostName,
  ports,
  scanTypes,
  severities,
  tags,
  titles,
  workflows,
} from './soc-world.ts';

export const eventBytes = 631;

const filler =
  'user input reaches the statement without being bound, so whoever can send a request may read and change what the account of the service may; use bound parameters, and give the account fewer rights than it has now.';

/** `count` events as JSON text, one line each, ASCII; the same for the same seed. */
export function socEvents(count: number, seed = 1): string[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, number) => padded(finding(random, number)));
}

function finding(random: SeededRandom, number: number): (description: string) => string {
  const id = String(number).padStart(8, '0');
  const title = titles[random.skewed(titles.length)]!;
  const members = {
    id: `evt-${id}`,
    event: random.weighted(eventTypes),
    timestamp: new Date(Date.UTC(2026, 10, 20) + number * 1_000).toISOString(),
  };
  const data = {
    finding_id: `f-${id}`,
    title,
    severity: random.weighted(severities),
    cvss: random.below(101) / 10,
    workflow: random.pick(workflows),
    scan_type: random.pick(scanTypes),
    cve: cves[random.skewed(cves.length)]!,
    asset: {
      id: `a-${random.below(100_000)}`,
      name: hostName(random),
      ip: address(random),
      tags: [random.pick(environments), ...random.some(tags, 2)],
      groups: random.some(groups, 2),
    },
    port: random.chance(0.7) ? random.pick(ports) : random.between(1_024, 65_535),
  };
  return (description) =>
    JSON.stringify({ ...members, data: { ...data, description, scan_id: `sc-${id.slice(3)}` } });
}

function padded(make: (description: string) => string): string {
  const missing = eventBytes - make('').length;
  if (missing < 0 || missing > filler.length)
    throw new Error(`the event needs ${missing} bytes of description`);
  return make(filler.slice(0, missing));
}
