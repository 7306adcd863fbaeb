// The port's producer on kafkajs: acks=all, one request at a time, repeated here and not by kafkajs.
//
// Invariant: bytes that wait or travel are bounded; calls of one moment share a request. When a shared request fails, each
// call is sent again alone, so that one bad record fails only its own caller.
//
// Surprise: kafkajs loses records when it repeats a request by itself. Its retry skips every broker that has answered
// before (producer/sendMessages.js, `brokersWithoutResponse`), so records whose leader has moved to such a broker are never
// sent and the call succeeds. Its retries are therefore off, the whole request is repeated from here, and because kafkajs
// refuses an idempotent producer without retries, repetitions may leave duplicates: the port allows that, not loss.
import type { Clock, Random } from '@tocsin/topologies/ports/clock.ts';
import { LogError, type LogProducer, type OutRecord } from '@tocsin/topologies/ports/log.ts';
import { choosePartition } from '@tocsin/topologies/ports/partition.ts';
import type { Kafka, Message, Producer } from 'kafkajs';
import { recordSizeBound } from '../core/record-encode.ts';
import { isFatal, toLogError } from './errors.ts';

const MAX_BATCH_BYTES = 900_000;
const DELIVERY_TIMEOUT_MS = 120_000;
const MAX_IN_FLIGHT_BYTES = 32 * 1024 * 1024;

interface Call {
  readonly records: readonly OutRecord[];
  readonly bytes: number;
  readonly done: PromiseWithResolvers<void>;
}

export class KafkaJsProducer implements LogProducer {
  readonly #kafka: Kafka;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #rotation = new Map<string, number>();
  readonly #roomWaiters: (() => void)[] = [];
  #producer: Promise<Producer> | null = null;
  #waiting: Call[] = [];
  #sending: Promise<void> | null = null;
  #bytes = 0;
  #closed = false;

  constructor(kafka: Kafka, clock: Clock, random: Random) {
    this.#kafka = kafka;
    this.#clock = clock;
    this.#random = random;
  }

  async send(records: readonly OutRecord[]): Promise<void> {
    if (this.#closed) throw new LogError('producer is closed', { retriable: false });
    if (records.length === 0) return;
    const bytes = records.reduce((sum, record) => sum + recordSizeBound(record), 0);
    while (this.#bytes > 0 && this.#bytes + bytes > MAX_IN_FLIGHT_BYTES) {
      await new Promise<void>((resolve) => {
        this.#roomWaiters.push(resolve);
      });
    }
    this.#bytes += bytes;
    const call: Call = { records, bytes, done: Promise.withResolvers<void>() };
    this.#waiting.push(call);
    this.#sending ??= this.#drain().finally(() => {
      this.#sending = null;
    });
    try {
      await call.done.promise;
    } finally {
      this.#bytes -= bytes;
      for (const wake of this.#roomWaiters.splice(0)) wake();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    while (this.#sending !== null) await this.#sending;
    await this.#reset();
  }

  async #drain(): Promise<void> {
    // Calls made in the same turn travel together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const calls: Call[] = [];
      let bytes = 0;
      while (
        this.#waiting.length > 0 &&
        (calls.length === 0 || bytes + this.#waiting[0]!.bytes <= MAX_BATCH_BYTES)
      ) {
        const call = this.#waiting.shift()!;
        calls.push(call);
        bytes += call.bytes;
      }
      try {
        await this.#sendChunks(calls.flatMap((call) => call.records));
        for (const call of calls) call.done.resolve();
      } catch (error) {
        await this.#reset();
        if (calls.length === 1) calls[0]!.done.reject(toLogError('send', error));
        else await this.#sendAlone(calls);
      }
    }
  }

  async #sendAlone(calls: readonly Call[]): Promise<void> {
    for (const call of calls) {
      try {
        await this.#sendChunks(call.records);
        call.done.resolve();
      } catch (error) {
        call.done.reject(toLogError('send', error));
        await this.#reset();
      }
    }
  }

  async #sendChunks(records: readonly OutRecord[]): Promise<void> {
    let chunk: OutRecord[] = [];
    let bytes = 0;
    for (const record of records) {
      const size = recordSizeBound(record);
      if (chunk.length > 0 && bytes + size > MAX_BATCH_BYTES) {
        await this.#sendOne(chunk);
        chunk = [];
        bytes = 0;
      }
      chunk.push(record);
      bytes += size;
    }
    await this.#sendOne(chunk);
  }

  async #sendOne(records: readonly OutRecord[]): Promise<void> {
    const topics = new Map<string, Message[]>();
    for (const record of records) {
      const message: Message = {
        key: record.key,
        value: record.value,
        headers: headersOf(record),
        ...(record.partition === undefined ? {} : { partition: record.partition }),
        ...(record.timestamp === undefined ? {} : { timestamp: String(record.timestamp) }),
      };
      const list = topics.get(record.topic);
      if (list === undefined) topics.set(record.topic, [message]);
      else list.push(message);
    }
    const batch = { acks: -1, topicMessages: [...topics].map(([topic, messages]) => ({ topic, messages })) };
    const deadline = this.#clock.now() + DELIVERY_TIMEOUT_MS;
    for (let tries = 0; ; tries++) {
      try {
        const producer = await this.#connected();
        await producer.sendBatch(batch);
        return;
      } catch (error) {
        await this.#reset();
        if (isFatal(error) || this.#clock.now() > deadline) throw error;
        const full = Math.min(2_000, 100 * 2 ** Math.min(tries, 6));
        await this.#clock.sleep(full / 2 + this.#random() * (full / 2));
      }
    }
  }

  #connected(): Promise<Producer> {
    this.#producer ??= (async () => {
      const producer = this.#kafka.producer({
        idempotent: false,
        maxInFlightRequests: 1,
        allowAutoTopicCreation: false,
        retry: { retries: 0 },
        createPartitioner:
          () =>
          ({ topic, partitionMetadata, message }) =>
            choosePartition(
              {
                topic,
                key: message.key ?? null,
                value: null,
                ...(message.partition === undefined ? {} : { partition: message.partition }),
              },
              partitionMetadata.length,
              this.#rotation,
            ),
      });
      await producer.connect();
      return producer;
    })();
    this.#producer.catch((error: unknown) => {
      if (!isFatal(error)) this.#producer = null;
    });
    return this.#producer;
  }

  async #reset(): Promise<void> {
    const producer = this.#producer;
    this.#producer = null;
    await producer?.then((each) => each.disconnect()).catch(() => undefined);
  }
}

/** kafkajs takes duplicate names as an array. */
function headersOf(record: OutRecord): NonNullable<Message['headers']> {
  const headers: Record<string, (Buffer | string)[]> = {};
  for (const [name, value] of record.headers ?? []) {
    const list = headers[name];
    if (list === undefined) headers[name] = [value];
    else list.push(value);
  }
  return headers;
}
