// Rules, actions, playbooks and inputs for the tests of the evaluator.
import type { ActionConfig, Playbook, Rule, ThenAction } from '@tocsin/schemas/types.ts';
import type { ActionManifest } from '../action/define-action.ts';
import { buildTables, type EvaluatorTables, type TableOptions } from './tables.ts';
import type { EvaluatorInput } from './trigger.ts';

function manifest(
  id: string,
  runOnce: ActionManifest['runOnce'],
  defaultMode: ActionManifest['defaultMode'],
): ActionManifest {
  const text = { title: id, summary: id, since: '0.1.0' };
  return {
    id,
    ...text,
    params: {},
    examples: [],
    outputs: {},
    needs: [],
    connection: null,
    runOnce,
    defaultMode,
    idempotency: 'key',
    ledger: 'fast',
  };
}

export const manifests: ReadonlyMap<string, ActionManifest> = new Map(
  [manifest('webhook', 'first', 'each'), manifest('email', 'all', 'each'), manifest('log', 'all', 'all')].map(
    (one) => [one.id, one],
  ),
);

export function action(id: string, more: Partial<ActionConfig> = {}): ActionConfig {
  return { kind: 'action', id, type: id, params: {}, ...more };
}

export function rule(id: string, then: [ThenAction, ...ThenAction[]], more: Partial<Rule> = {}): Rule {
  return { kind: 'rule', id, then, ...(more.when === undefined ? { match_all: true } : {}), ...more };
}

/** One step, an action. */
export function playbook(id: string, more: Partial<Playbook> = {}): Playbook {
  return { kind: 'playbook', id, steps: [{ id: 'write', action: 'log' }], ...more };
}

/** Tables with rules at revision 3, playbooks at revision 5 and actions at revision 7. */
export function tables(
  rules: readonly Rule[],
  actions?: readonly ActionConfig[],
  options?: TableOptions,
  playbooks: readonly Playbook[] = [],
): EvaluatorTables {
  const given = actions ?? [action('webhook'), action('email'), action('log')];
  const config = {
    rules: new Map(rules.map((document) => [document.id, { document, revision: 3 }])),
    actions: new Map(given.map((document) => [document.id, { document, revision: 7 }])),
    playbooks: new Map(playbooks.map((document) => [document.id, { document, revision: 5 }])),
  };
  return buildTables(config, manifests, options);
}

/** The event that the SIEM integration guide of the product shows. */
export const finding = {
  event: 'finding.new',
  timestamp: '2026-04-28T12:00:00Z',
  data: {
    finding_id: 'f-91827',
    title: 'SQL Injection in /api/login',
    severity: 'critical',
    cvss: 9.8,
    asset: { id: 'a-1001', name: 'api.example.com', type: 'domain' },
    scan_id: 'sc-44021',
    description: 'User input is passed directly to SQL query without parameterization.',
    remediation: 'Use parameterized queries or an ORM.',
  },
};

export function eventInput(value: unknown, more: Partial<EvaluatorInput> = {}): EvaluatorInput {
  const record = {
    topic: 'findings.v1',
    partition: 3,
    offset: 27,
    timestamp: 1_777_377_600_500,
    now: 1_777_377_600_700,
  };
  return { value, input: 'findings', ...record, ...more };
}

export function searchInput(value: unknown, more: Partial<EvaluatorInput> = {}): EvaluatorInput {
  return eventInput(value, { input: 'search-results', topic: 'search-results.v1', ...more });
}

export function run(
  rows: readonly Record<string, unknown>[],
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  return { job_id: 'failed-logins', run_id: '2026-04-28T12:00', name: 'Failed logins', rows, ...more };
}
