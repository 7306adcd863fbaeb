// Aliases: the names that rules use instead of paths, so that the wire format may change without touching a rule.
//
// Invariant: a change of meaning is a new version of the table; adding a path to an alias is not.
import type { Comparison } from './comparison.ts';
import type { RuleSource } from './path.ts';

export const aliasVersion = 1;

export interface Alias {
  readonly comparison: Comparison;
  /** Where the values are looked for, all of them; null when the alias has no meaning for that source. */
  readonly paths: Readonly<Record<RuleSource, readonly string[] | null>>;
}

const category: Alias = {
  comparison: 'text',
  paths: { events: ['data.scan_category', 'data.scan.category', 'data.category'], 'search-results': null },
};

export const aliases: Readonly<Record<string, Alias>> = {
  severity: {
    comparison: 'severity',
    paths: { events: ['data.severity'], 'search-results': ['severity'] },
  },
  asset_tags: {
    comparison: 'text',
    paths: { events: ['data.asset.tags', 'data.asset_tags'], 'search-results': ['asset.tags', 'asset_tags'] },
  },
  asset_groups: {
    comparison: 'text',
    paths: {
      events: ['data.asset.groups', 'data.asset.group', 'data.asset_groups', 'data.asset_group'],
      'search-results': ['asset.groups', 'asset.group', 'asset_groups', 'asset_group'],
    },
  },
  scan_type: {
    comparison: 'text',
    paths: { events: ['data.scan_type', 'data.scan.type'], 'search-results': null },
  },
  scan_category: category,
  category,
  vulnerabilities: {
    comparison: 'identifier',
    paths: {
      events: [
        'data.vulnerability',
        'data.vulnerability.id',
        'data.vulnerability.ids',
        'data.vulnerability.cve',
        'data.vulnerability.cwe',
        'data.vulnerability.ghsa',
        'data.vulnerability_id',
        'data.vulnerability_ids',
        'data.vulnerabilities',
        'data.vulnerabilities.id',
        'data.cve',
        'data.cves',
        'data.cwe',
        'data.cwes',
        'data.ghsa',
        'data.template_id',
        'data.template.id',
      ],
      'search-results': ['vulnerability.id', 'vulnerability_id', 'cve', 'cwe', 'ghsa'],
    },
  },
};
