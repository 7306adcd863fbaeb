// The life of a service process: start, serve health and metrics, stop once and cleanly on a signal, fail loudly.
//
// Invariant: after SIGTERM or SIGINT the parts stop in reverse order of their start, within a deadline; a failure of a
// part ends the process with code 1, so that whoever supervises it starts it again.
import { metrics as declarations } from '@tocsin/topologies/metrics.ts';
import type { Clock } from '@tocsin/topologies/ports/clock.ts';
import type { MetricsPort } from '@tocsin/topologies/ports/metrics.ts';
import { systemClock } from '../clock/system.ts';
import { startHealthServer } from '../health/server.ts';
import { createLogger, type PinoLogger } from '../logger/pino.ts';
import { createPrometheusMetrics } from '../metrics/prometheus.ts';

export interface ServiceSettings {
  readonly name: string;
  /** Address and port of health and metrics. */
  readonly host: string;
  readonly port: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
}

/** What a service hands its parts. */
export interface ServiceContext {
  /** Also removes registered secrets from every line. */
  readonly logger: PinoLogger;
  readonly metrics: MetricsPort;
  readonly clock: Clock;
  /** Aborted when the service begins to stop. */
  readonly signal: AbortSignal;
  /** Ends the process with code 1 after stopping what runs. */
  readonly fail: (error: Error) => void;
  /** A named check for /health: true, or why not. */
  readonly check: (name: string, probe: () => true | string) => void;
  /** Called in reverse order at the end. */
  readonly onStop: (stop: () => Promise<void> | void) => void;
}

/** Longest time for a clean stop, ms; then the process ends with code 1. */
const stopDeadlineMs = 25_000;

/** Runs a service until a signal or a failure ends it. Resolves never: the process exits. */
export async function runService(
  settings: ServiceSettings,
  start: (context: ServiceContext) => Promise<void>,
): Promise<void> {
  const logger = createLogger({ service: settings.name, level: settings.logLevel });
  const registry = createPrometheusMetrics({ declarations });
  const checks = new Map<string, () => true | string>();
  const stops: (() => Promise<void> | void)[] = [];
  const stopping = new AbortController();
  let starting = true;
  let ending = false;

  async function end(code: number): Promise<void> {
    if (ending) return;
    ending = true;
    const deadline = setTimeout(() => {
      logger.error('did not stop in time');
      process.exit(1);
    }, stopDeadlineMs);
    deadline.unref();
    for (const stop of stops.reverse())
      try {
        await stop();
      } catch (error) {
        logger.error('stop failed', { error: String(error) });
      }
    stopping.abort();
    logger.info('stopped', { code });
    process.exit(code);
  }

  const fail = (error: Error): void => {
    logger.error('service failed', { error: error.stack ?? String(error) });
    void end(1);
  };
  process.on('SIGTERM', () => void end(0));
  process.on('SIGINT', () => void end(0));
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', (reason) =>
    fail(reason instanceof Error ? reason : new Error(String(reason))),
  );

  checks.set('started', () => (starting ? 'still starting' : true));
  const health = await startHealthServer({
    host: settings.host,
    port: settings.port,
    checks: () => Object.fromEntries([...checks].map(([name, probe]) => [name, probe()])),
    metrics: () => registry.text(),
  });
  stops.push(() => health.close());
  try {
    await start({
      logger,
      metrics: registry,
      clock: systemClock,
      signal: stopping.signal,
      fail,
      check: (name, probe) => checks.set(name, probe),
      onStop: (stop) => stops.push(stop),
    });
    starting = false;
    logger.info('ready', { health: `http://${settings.host}:${health.port}/health` });
  } catch (error) {
    fail(error instanceof Error ? error : new Error(String(error)));
  }
}
