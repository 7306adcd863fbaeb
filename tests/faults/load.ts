// The load of a fault run: numbered findings, the rules they meet, and what must come of each, found without product code.
//
// Invariant: which rules hit comes from the naive oracle, command ids from their documented definition (netstrings under
// SHA-256), so a mistake of the evaluator cannot hide in the expectation.
import { createHash } from 'node:crypto';
import type { Rule } from '@tocsin/schemas/types.ts';
import { referenceMatches } from '@tocsin/topologies/domain/rules/reference/match-rule.ts';
import type { Input } from './checker.ts';

export type Finding = Readonly<Record<string, unknown>> & { readonly id: string };

export interface LoadRecord {
  readonly key: string;
  readonly value: string;
  readonly input: Input;
}

export const rules: readonly Rule[] = [
  {
    kind: 'rule',
    id: 'critical',
    when: { events: ['finding.new'], min_severity: 'high' },
    then: [{ action: 'hook' }],
  },
  {
    kind: 'rule',
    id: 'production',
    when: { asset_tags: ['production'], not: { 'data.asset.name': { suffix: '.lab.example.com' } } },
    then: [{ action: 'hook', key: 'prod' }],
  },
];

/** One mail for each finding that names the vulnerability. */
export const mailRule: Rule = {
  kind: 'rule',
  id: 'exploited',
  when: { events: ['finding.*'], vulnerabilities: ['CVE-2024-3094'] },
  then: [{ action: 'letter' }],
};

const severities = ['info', 'low', 'medium', 'high', 'critical'];

export function finding(id: string, number: number): Finding {
  const lab = number % 7 === 0 ? '.lab' : '';
  return {
    id,
    event: number % 11 === 0 ? 'finding.updated' : 'finding.new',
    timestamp: new Date(Date.UTC(2026, 3, 28) + number * 1000).toISOString(),
    data: {
      finding_id: id,
      title: `Finding ${number}`,
      severity: severities[number % 5],
      ...(number % 13 === 0 ? { cve: ['CVE-2024-3094'] } : {}),
      asset: {
        id: `a-${number % 40}`,
        name: `host-${number % 40}${lab}.example.com`,
        tags: number % 3 === 0 ? ['production', 'web'] : ['staging'],
      },
    },
  };
}

/** `count` findings named `<run>-<n>`, and one record that is cut off in the middle. */
export function load(run: string, count: number, inForce: readonly Rule[] = rules): LoadRecord[] {
  const records = Array.from({ length: count }, (_, number): LoadRecord => {
    const event = finding(`${run}-${number}`, number);
    return {
      key: `a-${number % 40}`,
      value: JSON.stringify(event),
      input: { id: event.id, hits: hitsOf(event, inForce) },
    };
  });
  const id = `${run}-broken`;
  const broken = {
    key: id,
    value: JSON.stringify(finding(id, 1)).slice(0, 60),
    input: { id, hits: [], broken: true },
  };
  return [...records.slice(0, count >> 1), broken, ...records.slice(count >> 1)];
}

export function hitsOf(event: Finding, inForce: readonly Rule[]): Input['hits'] {
  return inForce
    .filter((rule) => referenceMatches(rule, { fields: event }))
    .flatMap((rule) =>
      rule.then.flatMap((entry) => {
        if (!('action' in entry)) return [];
        return { rule: rule.id, commandId: idOf(event.id, rule.id, entry.key ?? entry.action) };
      }),
    );
}

function idOf(source: string, rule: string, key: string): string {
  const hash = createHash('sha256');
  for (const field of ['v1', '', source, rule, key, '0']) hash.update(`${Buffer.byteLength(field)}:${field}`);
  return hash.digest('hex').slice(0, 32);
}
