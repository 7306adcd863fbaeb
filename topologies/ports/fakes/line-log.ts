// The log file in memory.
import type { LineLogPort } from '../line-log.ts';

export interface FakeLineLog extends LineLogPort {
  readonly lines: readonly string[];
  /** The next calls reject with these errors, one each. */
  fail(...errors: readonly Error[]): void;
}

export function fakeLineLog(): FakeLineLog {
  const lines: string[] = [];
  const errors: Error[] = [];
  return {
    lines,
    fail(...next) {
      errors.push(...next);
    },
    async append(added) {
      const error = errors.shift();
      if (error !== undefined) throw error;
      for (const line of added) {
        if (/[\r\n]/.test(line)) throw new TypeError('a line must not hold a line break');
        lines.push(line);
      }
    },
  };
}
