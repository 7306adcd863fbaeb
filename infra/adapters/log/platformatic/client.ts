// The log on the platformatic client: the default adapter.
import type { Clock, Random } from '@tocsin/topologies/ports/clock.ts';
import type { LogClient } from '@tocsin/topologies/ports/log.ts';
import type { LogConnection } from '../core/settings.ts';
import { SupervisedConsumer } from '../core/supervised-consumer.ts';
import { SupervisedTable } from '../core/supervised-table.ts';
import { PlatformaticAdmin } from './admin.ts';
import { Cluster } from './cluster.ts';
import { PlatformaticConsumerLife } from './consumer.ts';
import { PlatformaticProducer } from './producer.ts';
import { followTable } from './table.ts';

export function createPlatformaticLog(settings: LogConnection, clock: Clock, random: Random): LogClient {
  return {
    consumer: (options) =>
      new SupervisedConsumer(
        options,
        () => new PlatformaticConsumerLife(settings, options, clock, random),
        clock,
        random,
      ),
    producer: () => new PlatformaticProducer(new Cluster(settings), clock, random),
    table: (options) =>
      new SupervisedTable(options, followTable(settings, options, clock, random), clock, random),
    admin: () => new PlatformaticAdmin(new Cluster(settings), clock),
  };
}
