// Which failure codes the attempts of an action type may have: those of its ports, of its connection, and its own.
//
// Surprise: what can happen to a command of any type (loop_detected, exhausted, bug, ...) is not among them.
import { type ActionManifest, connectionTypes, type PortName } from './define-action.ts';
import { type FailureCode, failureCodes } from './outcome.ts';

const network = ['denied', 'dns', 'connect', 'tls', 'timeout', 'reset', 'protocol', 'aborted'] as const;

const byPort: Readonly<Record<PortName, readonly FailureCode[]>> = {
  http: [
    ...network,
    'busy',
    'http_3xx',
    'http_4xx',
    'http_401_403',
    'http_410',
    'http_429',
    'http_5xx',
    'http_unexpected',
  ],
  mail: [...network, 'smtp_transient', 'smtp_permanent', 'smtp_auth'],
  lineLog: ['disk'],
  database: [
    ...network,
    'db_auth',
    'db_busy',
    'db_unique',
    'db_constraint',
    'db_value',
    'db_object',
    'db_rejected',
  ],
  files: ['disk'],
  lake: ['disk'],
  syslog: network,
  records: ['topic', 'loop_detected'],
  incidents: ['store'],
  risks: ['store'],
  mitre: ['store'],
  scripts: [
    ...network,
    'host_key',
    'script_auth',
    'script_busy',
    'script_failed',
    'script_refused',
    'cancelled_uncertain',
  ],
  clock: [],
};

/** Codes of attempts of the type, in the order of the list of all codes. */
export function failuresOf(manifest: ActionManifest): FailureCode[] {
  const found = new Set<FailureCode>([
    'invalid_params',
    'template',
    ...(manifest.privileged === true ? (['denied'] as const) : []),
    ...(manifest.cancellable === true ? (['cancelled'] as const) : []),
    ...(connectionTypes(manifest.connection).length === 0 ? [] : (['unknown_connection', 'secret'] as const)),
    // An attempt whose answer did not come, and that nobody repeats without a decision.
    'uncertain',
    ...manifest.needs.flatMap((port) => byPort[port]),
    ...(manifest.failures ?? []),
  ]);
  return (Object.keys(failureCodes) as FailureCode[]).filter((code) => found.has(code));
}
