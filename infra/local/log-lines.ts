// Which lines of a service's log a person at the terminal should see: warnings and errors, shortened to one line.

const NAMES: Record<number, string> = { 40: 'warn', 50: 'error', 60: 'fatal' };

/**
 * The line to show, or undefined. Reads pino's JSON lines (`level` as number or name, `msg`); a line on stderr that is no JSON is shown
 * as it is, stack frames left out (Node's own crash messages).
 */
export function warningLine(line: string, isError: boolean): string | undefined {
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return isError && line.trim() !== '' && !isFrame(line) ? line : undefined;
  }
  if (typeof entry !== 'object' || entry === null) return undefined;
  const level = typeof entry.level === 'number' ? NAMES[entry.level] : entry.level;
  if (typeof level !== 'string' || !['warn', 'error', 'fatal'].includes(level)) return undefined;
  const {
    level: _level,
    time: _time,
    name: _name,
    pid: _pid,
    hostname: _host,
    msg,
    message,
    ...fields
  } = entry;
  const rest = Object.entries(fields).map(([key, value]) => `${key}=${short(value)}`);
  return [level.toUpperCase(), String(msg ?? message ?? ''), ...rest].join(' ').slice(0, 400);
}

/** Source excerpts, stack frames and the end of Node's crash messages: the file has them, a terminal need not. */
export const isFrame = (line: string): boolean => /^(\s|node:internal|}|Node\.js v)/.test(line);

function short(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const [first = ''] = (text ?? '').split('\n');
  return first.length > 160 ? `${first.slice(0, 160)}…` : first;
}
