// kafkajs made safe to use: codecs with limits, a timer fix, and access to its cluster object.
//
// Invariant: this is the only file that knows kafkajs's private parts. The library is frozen (2.2.4, 2023) and pinned, so
// they do not move; a check below fails loudly if they ever do.
//
// Surprise: kafkajs ships gzip only, inflates without a limit, reads checksums without comparing them, and on Node 24 passes negative delays to setTimeout
// (tulios/kafkajs#1751), which prints a warning for every connection.
import { createRequire } from 'node:module';
import { crc32c } from '@platformatic/wasm-utils';
import type { Kafka, KafkaConfig, SASLOptions } from 'kafkajs';
import { CodecError, decompress, MAX_DECOMPRESSED_BYTES } from '../core/codecs.ts';
import type { LogConnection } from '../core/settings.ts';

/** One broker connection of kafkajs, as far as it is used here. */
export interface RawBroker {
  fetch(request: RawFetch): Promise<RawFetchResponse>;
  offsetFetch(request: {
    groupId: string;
    topics: { topic: string; partitions: { partition: number }[] }[];
  }): Promise<{
    responses: { topic: string; partitions: { partition: number; offset: string }[] }[];
  }>;
}

export interface RawFetch {
  readonly maxWaitTime: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly isolationLevel: number;
  readonly rackId: string;
  readonly topics: {
    topic: string;
    partitions: { partition: number; fetchOffset: string; maxBytes: number }[];
  }[];
}

export interface RawMessage {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, Buffer | string | (Buffer | string)[] | undefined>>;
  readonly isControlRecord?: boolean;
}

export interface RawFetchResponse {
  readonly responses: { topicName: string; partitions: { partition: number; messages: RawMessage[] }[] }[];
}

export interface RawCluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addMultipleTargetTopics(topics: string[]): Promise<void>;
  refreshMetadata(): Promise<void>;
  findTopicPartitionMetadata(topic: string): { partitionId: number }[];
  findLeaderForPartitions(topic: string, partitions: number[]): Record<string, number[]>;
  findBroker(where: { nodeId: string | number }): Promise<RawBroker>;
  findGroupCoordinator(group: { groupId: string }): Promise<RawBroker>;
  fetchTopicsOffset(
    topics: { topic: string; partitions: { partition: number }[]; fromBeginning: boolean }[],
  ): Promise<{ topic: string; partitions: { partition: number; offset: string }[] }[]>;
}

const require = createRequire(import.meta.url);

interface BatchDecoder {
  readonly buffer: Buffer;
  readonly offset: number;
}

/** Puts a CRC-32C check before the batch decoder. Must happen before kafkajs itself is loaded: it keeps a reference. */
function loadChecked(): typeof import('kafkajs') {
  const path = require.resolve('kafkajs/src/protocol/recordBatch/v0/decoder.js');
  const decode = require(path) as (decoder: BatchDecoder) => Promise<unknown>;
  const module = require.cache[path];
  if (typeof decode !== 'function' || module === undefined)
    throw new Error('kafkajs is not the version this adapter was written for');
  module.exports = async (decoder: BatchDecoder) => {
    const { buffer, offset } = decoder;
    const end = offset + 12 + buffer.readInt32BE(offset + 8);
    // A batch that is cut off is left to kafkajs, which knows what to do with it.
    if (
      end <= buffer.length &&
      crc32c(buffer.subarray(offset + 21, end)) >>> 0 !== buffer.readUInt32BE(offset + 17)
    ) {
      throw new CodecError('CRC-32C does not match');
    }
    return await decode(decoder);
  };
  return require('kafkajs') as typeof import('kafkajs');
}

let maxDecompressedBytes = MAX_DECOMPRESSED_BYTES;

interface RequestQueue {
  readonly pending: unknown[];
  readonly throttledUntil: number;
  scheduleCheckPendingRequests(): void;
}

/** Registers codecs with a limit and repairs the timer. */
function repair(library: typeof import('kafkajs')): typeof import('kafkajs') {
  for (const codec of [1, 2, 3, 4] as const) {
    library.CompressionCodecs[codec] = () => ({
      compress: () => Promise.reject(new Error('this adapter writes uncompressed batches')),
      decompress: async (input: Buffer) => decompress(codec, input, maxDecompressedBytes),
    });
  }
  const queue = (require('kafkajs/src/network/requestQueue/index.js') as { prototype: RequestQueue })
    .prototype;
  const schedule = queue.scheduleCheckPendingRequests;
  if (typeof schedule !== 'function')
    throw new Error('kafkajs is not the version this adapter was written for');
  queue.scheduleCheckPendingRequests = function (this: RequestQueue) {
    // Nothing waits and nothing is throttled: there is nothing to check later.
    if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this);
  };
  return library;
}

export const kafkajs: typeof import('kafkajs') = repair(loadChecked());

export function createKafka(settings: LogConnection): Kafka {
  maxDecompressedBytes = settings.maxDecompressedBytes ?? MAX_DECOMPRESSED_BYTES;
  const { tls, sasl } = settings;
  const config: KafkaConfig = {
    brokers: [...settings.brokers],
    clientId: settings.clientId,
    connectionTimeout: 10_000,
    logCreator: () => () => undefined,
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 8 },
    ...(tls === undefined ? {} : { ssl: { ...tls } }),
    ...(sasl === undefined ? {} : { sasl: saslOf(sasl) }),
  };
  return new kafkajs.Kafka(config);
}

function saslOf(sasl: NonNullable<LogConnection['sasl']>): SASLOptions {
  const { username, password } = sasl;
  return {
    mechanism:
      sasl.mechanism === 'PLAIN'
        ? 'plain'
        : sasl.mechanism === 'SCRAM-SHA-256'
          ? 'scram-sha-256'
          : 'scram-sha-512',
    username,
    password,
  };
}

/** A cluster connection without a consumer, for reads that need no group. */
export function createCluster(kafka: Kafka): RawCluster {
  const symbol = Object.getOwnPropertySymbols(kafka).find(
    (each) => each.description === 'private:Kafka:createCluster',
  );
  const create = symbol === undefined ? undefined : (kafka as unknown as Record<symbol, unknown>)[symbol];
  if (typeof create !== 'function')
    throw new Error('kafkajs is not the version this adapter was written for');
  return (create as (options: object) => RawCluster)({
    metadataMaxAge: 30_000,
    allowAutoTopicCreation: false,
    isolationLevel: 0,
  });
}
