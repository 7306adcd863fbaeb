// A logger for tests that look at something else.
import type { Logger } from '@tocsin/topologies/ports/logger.ts';

const quiet = (): void => undefined;

export const silentLogger: Logger = {
  debug: quiet,
  info: quiet,
  warn: quiet,
  error: quiet,
  child: () => silentLogger,
};
