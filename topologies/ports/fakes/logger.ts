// Logs in memory.
import type { LogFields, Logger } from '../logger.ts';

export interface LogEntry {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: LogFields;
}

export interface FakeLogger extends Logger {
  /** Entries of this logger and of all its children, in order. */
  readonly entries: readonly LogEntry[];
}

export function fakeLogger(): FakeLogger {
  const entries: LogEntry[] = [];
  const at = (bound: LogFields): FakeLogger => {
    const write =
      (level: LogEntry['level']) =>
      (message: string, fields: LogFields = {}): void =>
        void entries.push({ level, message, fields: { ...bound, ...fields } });
    return {
      entries,
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      child: (fields) => at({ ...bound, ...fields }),
    };
  };
  return at({});
}
