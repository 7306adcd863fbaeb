// One entry to the log: the client is a setting, the port is the same.
//
// Only the chosen client is loaded: each of them takes tens of megabytes and a tenth of a second.
import type { Clock, Random } from '@tocsin/topologies/ports/clock.ts';
import type { LogClient } from '@tocsin/topologies/ports/log.ts';
import { systemClock } from '../clock/system.ts';
import type { LogSettings } from './settings.ts';

/** Connects lazily: nothing is opened before the first consumer, producer, table or admin call. */
export async function openLogClient(
  settings: LogSettings,
  clock: Clock = systemClock,
  random: Random = Math.random,
): Promise<LogClient> {
  const log =
    settings.client === 'kafkajs'
      ? (await import('./kafkajs/client.ts')).createKafkaJsLog(settings, clock, random)
      : (await import('./platformatic/client.ts')).createPlatformaticLog(settings, clock, random);
  const { sessionTimeoutMs, instanceId } = settings;
  const ours = {
    ...(sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs }),
    ...(instanceId === undefined ? {} : { instanceId }),
  };
  return { ...log, consumer: (options) => log.consumer({ ...ours, ...options }) };
}

export { type LogClientName, type LogSettings, LogSettingsError, parseLogSettings } from './settings.ts';
