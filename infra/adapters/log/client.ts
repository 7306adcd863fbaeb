// One entry to the log: the client is a setting, the port is the same.
import type { Clock, Random } from '@tocsin/topologies/ports/clock.ts';
import type { LogClient } from '@tocsin/topologies/ports/log.ts';
import { systemClock } from './core/system-clock.ts';
import { createKafkaJsLog } from './kafkajs/client.ts';
import { createPlatformaticLog } from './platformatic/client.ts';
import type { LogSettings } from './settings.ts';

/** Connects lazily: nothing is opened before the first consumer, producer, table or admin call. */
export function createLogClient(
  settings: LogSettings,
  clock: Clock = systemClock,
  random: Random = Math.random,
): LogClient {
  const log =
    settings.client === 'kafkajs'
      ? createKafkaJsLog(settings, clock, random)
      : createPlatformaticLog(settings, clock, random);
  const { sessionTimeoutMs } = settings;
  if (sessionTimeoutMs === undefined) return log;
  return { ...log, consumer: (options) => log.consumer({ sessionTimeoutMs, ...options }) };
}

export { type LogClientName, type LogSettings, LogSettingsError, parseLogSettings } from './settings.ts';
