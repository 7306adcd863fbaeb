// The log on the platformatic client: the default adapter.
import type { Clock, Random } from '@tocsin/topologies/ports/clock.ts';
import type { LogClient } from '@tocsin/topologies/ports/log.ts';
import type { LogConnection } from '../core/settings.ts';
import { PlatformaticAdmin } from './admin.ts';
import { Cluster } from './cluster.ts';
import { PlatformaticConsumer } from './consumer.ts';
import { PlatformaticProducer } from './producer.ts';
import { PlatformaticTable } from './table.ts';

export function createPlatformaticLog(settings: LogConnection, clock: Clock, random: Random): LogClient {
  return {
    consumer: (options) => new PlatformaticConsumer(settings, options, clock, random),
    producer: () => new PlatformaticProducer(new Cluster(settings), clock, random),
    table: (options) => new PlatformaticTable(settings, options, clock, random),
    admin: () => new PlatformaticAdmin(new Cluster(settings), clock),
  };
}
