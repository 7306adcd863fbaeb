// Typed documents for tests: commands, connections and the example event of the SIEM guide.
import type { Command, HttpConnection, SmtpConnection, SyslogConnection } from '@tocsin/schemas/types.ts';
import type { ResolvedConnection } from '../domain/action/define-action.ts';
import { SecretValue } from '../ports/secrets.ts';

/** The `finding.new` event of the SIEM integration guide, as printed there. */
export const findingNew = {
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
} as const;

const base = {
  v: 1,
  command_id: '0123456789abcdef0123456789abcdef',
  type: 'webhook',
  trigger: 'rule',
  rule: { id: 'critical-findings', name: 'Critical findings', revision: 3 },
  action: { id: 'notify', key: 'notify', revision: 2 },
  mode: 'each',
  row_index: 0,
  params: {},
  hops: 0,
  created_at: Date.UTC(2026, 3, 28, 12, 0, 0, 5),
} as const satisfies Partial<Command>;

/** A command about one event; `findingNew` unless `event` says otherwise. */
export function eventCommand(
  over: Partial<Command> & { readonly event?: Record<string, unknown> } = {},
): Command {
  const { event = structuredClone(findingNew) as Record<string, unknown>, ...rest } = over;
  return {
    ...structuredClone(base),
    source: {
      id: 'findings.v1/0/42',
      kind: 'event',
      event: String(event['event']),
      topic: 'findings.v1',
      partition: 0,
      offset: 42,
    },
    subject: { event },
    ...rest,
  };
}

/** A command about rows of a search run. Mode first or each carries its one row, mode all carries them all. */
export function rowsCommand(rows: Record<string, unknown>[], over: Partial<Command> = {}): Command {
  const mode = over.mode ?? 'all';
  return {
    ...structuredClone(base),
    source: { id: 'job-7/run-1', kind: 'search-result', topic: 'search-results.v1', partition: 0, offset: 7 },
    mode,
    row_index: mode === 'all' ? 'all' : 0,
    subject: {
      rows,
      total_rows: rows.length,
      search: {
        job_id: 'job-7',
        run_id: 'run-1',
        name: 'Failed logins',
        time_from: '2026-04-28T11:00:00Z',
        time_to: '2026-04-28T12:00:00Z',
        global_params: { team: 'blue', threshold: 5 },
      },
    },
    ...over,
  };
}

/** An https connection to siem.example.com with its secrets. */
export function httpConnection(
  over: Partial<HttpConnection> = {},
  secrets: Readonly<Record<string, string>> = {},
): ResolvedConnection {
  return {
    config: { kind: 'connection', id: 'siem', type: 'http', host: 'siem.example.com', ...over },
    secrets: wrap(secrets),
  };
}

/** A STARTTLS connection to mail.example.com with its secrets. */
export function smtpConnection(
  over: Partial<SmtpConnection> = {},
  secrets: Readonly<Record<string, string>> = {},
): ResolvedConnection {
  return {
    config: {
      kind: 'connection',
      id: 'mail',
      type: 'smtp',
      host: 'mail.example.com',
      from: 'tocsin@example.com',
      ...over,
    },
    secrets: wrap(secrets),
  };
}

/** A syslog connection to siem.example.com, over TLS unless told otherwise. */
export function syslogConnection(
  over: Partial<SyslogConnection> = {},
  secrets: Readonly<Record<string, string>> = {},
): ResolvedConnection & { readonly config: SyslogConnection } {
  return {
    config: { kind: 'connection', id: 'siem', type: 'syslog', host: 'siem.example.com', ...over },
    secrets: wrap(secrets),
  };
}

function wrap(secrets: Readonly<Record<string, string>>): Record<string, SecretValue> {
  return Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, new SecretValue(value)]));
}
