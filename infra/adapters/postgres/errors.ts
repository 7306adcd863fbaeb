// Which PostgreSQL failures mean "not now" and which mean "never": callers wait for the first and report the second.

/** The store cannot be reached or is too busy; the same call may succeed later. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

// SQLSTATE classes and codes, PostgreSQL manual appendix A: 08 connection, 53 resources, 57P0x shutdown and start-up,
// 57014 statement timeout, 55P03 lock timeout, 40001/40P01 serialisation and deadlock, 25006 read-only (a standby).
const transientStates = new Set([
  '57P01',
  '57P02',
  '57P03',
  '57P05',
  '57014',
  '55P03',
  '40001',
  '40P01',
  '25006',
  '25P03',
]);
const transientSystemCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);
// pg and pg-pool give these failures no code.
const transientMessages =
  /connection terminated|timeout exceeded when trying to connect|client has encountered a connection error|not queryable|timeout expired|query read timeout|cannot use a pool after/i;

/** True when the database is down, starting, stopping or overloaded. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof StoreUnavailable) return true;
  if (error instanceof AggregateError) return error.errors.some(isUnavailable);
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string') {
    if (transientSystemCodes.has(code) || transientStates.has(code)) return true;
    if (/^[0-9A-Z]{5}$/.test(code)) return code.startsWith('08') || code.startsWith('53');
  }
  return transientMessages.test(error.message);
}

/** SQLSTATE of a database error, '' for any other. */
export function sqlState(error: unknown): string {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : '';
}
