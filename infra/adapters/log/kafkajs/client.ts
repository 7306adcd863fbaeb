// The log on kafkajs: the second adapter, chosen with KAFKA_CLIENT=kafkajs.
import type { Clock, Random } from '@tocsin/topologies/ports/clock.ts';
import type { LogClient } from '@tocsin/topologies/ports/log.ts';
import type { LogConnection } from '../core/settings.ts';
import { SupervisedConsumer } from '../core/supervised-consumer.ts';
import { SupervisedTable } from '../core/supervised-table.ts';
import { KafkaJsAdmin } from './admin.ts';
import { KafkaJsConsumerLife } from './consumer.ts';
import { createKafka } from './library.ts';
import { KafkaJsProducer } from './producer.ts';
import { followTable } from './table.ts';

export function createKafkaJsLog(settings: LogConnection, clock: Clock, random: Random): LogClient {
  return {
    consumer: (options) =>
      new SupervisedConsumer(options, () => new KafkaJsConsumerLife(settings, options, clock), clock, random),
    producer: () => new KafkaJsProducer(createKafka(settings), clock, random),
    table: (options) => new SupervisedTable(options, followTable(settings, options, clock), clock, random),
    admin: () => new KafkaJsAdmin(createKafka(settings), clock),
  };
}
