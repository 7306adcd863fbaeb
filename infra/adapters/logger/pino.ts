// Structured logs: one JSON object per line through pino.
// Invariant: a line is written only after fields were made safe (redact.ts) and registered secrets were removed (scrub.ts).
// Surprise: the scrubber looks at the finished line, so it also sees what libraries put into messages and stacks.
import type { LogFields, Logger } from '@tocsin/topologies/ports/logger.ts';
import { pino } from 'pino';
import { safeFields } from './redact.ts';
import { createScrubber, type Scrubber } from './scrub.ts';

export interface LogSettings {
  readonly service: string;
  /** Default info. */
  readonly level?: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** Takes whole lines with their line feed; default standard output, which is written synchronously. */
  readonly destination?: { write(line: string): void };
  readonly scrubber?: Scrubber;
}

export interface PinoLogger extends Logger {
  /** The value disappears from every later line of this logger and its children. */
  registerSecret(value: string): void;
}

/** Lines hold level (word), time (ISO 8601), service, msg and the fields. */
export function createLogger(settings: LogSettings): PinoLogger {
  const scrubber = settings.scrubber ?? createScrubber();
  const destination = settings.destination ?? process.stdout;
  const base = pino(
    {
      level: settings.level ?? 'info',
      base: { service: settings.service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    { write: (line: string) => void destination.write(scrubber.scrub(line)) },
  );
  return { ...wrap(base), registerSecret: (value) => scrubber.register(value) };
}

function wrap(target: pino.Logger): Logger {
  const write =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields?: LogFields): void => {
      // Making fields safe costs more than the line; do not do it for lines nobody reads.
      if (!target.isLevelEnabled(level)) return;
      target[level](fields === undefined ? {} : safeFields(fields), message);
    };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => wrap(target.child(safeFields(fields))),
  };
}
