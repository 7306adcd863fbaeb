// Both adapters at hand without waiting, for cases that run on either.
import type { LogClient } from '@tocsin/topologies/ports/log.ts';
import { systemClock } from '../../clock/system.ts';
import { createKafkaJsLog } from '../kafkajs/client.ts';
import { createPlatformaticLog } from '../platformatic/client.ts';
import type { LogSettings } from '../settings.ts';

export function createLogClient(settings: LogSettings): LogClient {
  const create = settings.client === 'kafkajs' ? createKafkaJsLog : createPlatformaticLog;
  return create(settings, systemClock, Math.random);
}
