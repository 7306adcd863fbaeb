// The port's producer: idempotent, acks=all, one batch in flight per partition.
//
// Invariant: `send` resolves only when every record of the call is acknowledged by all in-sync replicas; bytes that
// wait or travel are bounded (a call waits for room first). Records of one partition keep the order of the calls.
//
// Surprise: calls that wait for the same partition share a batch. When the broker refuses such a batch for good, it
// is split by call and sent again, so that one oversized record fails only its own caller.
//
// Source: KIP-98 for sequences; max.message.bytes defaults to 1,048,588 bytes per batch.
import { initProducerIdV4 } from '@platformatic/kafka';
import type { Clock, Random } from '@tocsin/topologies/ports/clock.ts';
import { LogError, type LogProducer, type OutRecord } from '@tocsin/topologies/ports/log.ts';
import { choosePartition } from '@tocsin/topologies/ports/partition.ts';
import {
  type BatchIdentity,
  type EncodeRecord,
  encodeBatch,
  recordSizeBound,
} from '../core/record-encode.ts';
import { checksum } from './checksum.ts';
import type { Cluster } from './cluster.ts';
import {
  codeError,
  DUPLICATE_SEQUENCE,
  describe,
  INVALID_PRODUCER_EPOCH,
  isFatalConnectionError,
  isRetriableCode,
  OUT_OF_ORDER_SEQUENCE,
  toLogError,
  UNKNOWN_PRODUCER_ID,
} from './errors.ts';
import { type ProduceAnswer, produceV9 } from './wire.ts';

const MAX_BATCH_BYTES = 900_000;
const MAX_REQUEST_BYTES = 8 * 1024 * 1024;
const MAX_IN_FLIGHT_BYTES = 32 * 1024 * 1024;
const DELIVERY_TIMEOUT_MS = 120_000;
const REQUEST_TIMEOUT_MS = 30_000;

interface Call {
  left: number;
  readonly resolve: () => void;
  readonly reject: (error: LogError) => void;
}

/** Records of one call for one partition that fit one batch. */
interface Chunk {
  readonly call: Call;
  readonly records: EncodeRecord[];
  readonly bytes: number;
  readonly deadline: number;
}

interface Batch {
  readonly chunks: readonly Chunk[];
  readonly encoded: Buffer;
  readonly identity: BatchIdentity;
}

interface Queue {
  readonly topic: string;
  readonly partition: number;
  waiting: Chunk[];
  /** Built and not yet acknowledged; sent again unchanged, so that the broker can tell a repetition. */
  batch: Batch | null;
  /** A refused batch is sent again call by call. */
  alone: number;
  producerId: bigint;
  sequence: number;
}

export class PlatformaticProducer implements LogProducer {
  readonly #cluster: Cluster;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #queues = new Map<string, Queue>();
  readonly #busyLeaders = new Set<number>();
  readonly #rotation = new Map<string, number>();
  readonly #roomWaiters: (() => void)[] = [];
  readonly #stopped = new AbortController();
  #identity: Promise<{ producerId: bigint; producerEpoch: number }> | null = null;
  #bytes = 0;
  #open = 0;
  #closing: PromiseWithResolvers<void> | null = null;
  #retries = 0;

  constructor(cluster: Cluster, clock: Clock, random: Random) {
    this.#cluster = cluster;
    this.#clock = clock;
    this.#random = random;
  }

  async send(records: readonly OutRecord[]): Promise<void> {
    if (records.length === 0) return;
    if (this.#closing !== null) throw new LogError('producer is closed', { retriable: false });
    this.#open++;
    try {
      await this.#layouts(records);
      let size = 0;
      for (const record of records) size += recordSizeBound(record);
      while (this.#bytes > 0 && this.#bytes + size > MAX_IN_FLIGHT_BYTES) {
        await new Promise<void>((resolve) => {
          this.#roomWaiters.push(resolve);
        });
      }
      this.#bytes += size;
      try {
        await this.#enqueue(records);
      } finally {
        this.#bytes -= size;
        for (const wake of this.#roomWaiters.splice(0)) wake();
      }
    } finally {
      this.#open--;
      if (this.#open === 0) (this.#closing as PromiseWithResolvers<void> | null)?.resolve();
    }
  }

  /** Waits for calls in progress, then disconnects. */
  async close(): Promise<void> {
    if (this.#closing === null) {
      this.#closing = Promise.withResolvers<void>();
      if (this.#open === 0) this.#closing.resolve();
    }
    await this.#closing.promise;
    this.#stopped.abort();
    await this.#cluster.close();
  }

  /** Topics must be known before partitions can be computed; a topic that does not exist yet is waited for briefly. */
  async #layouts(records: readonly OutRecord[]): Promise<void> {
    const deadline = this.#clock.now() + REQUEST_TIMEOUT_MS;
    for (const topic of new Set(records.map((record) => record.topic))) {
      for (let tries = 0; ; tries++) {
        try {
          await this.#cluster.topic(topic);
          break;
        } catch (error) {
          const failure = toLogError(`send to ${topic}`, error);
          if (!failure.retriable || this.#clock.now() > deadline || tries >= 20) throw failure;
          await this.#sleep(100 * (1 + Math.min(tries, 9)));
        }
      }
    }
  }

  #enqueue(records: readonly OutRecord[]): Promise<void> {
    const done = Promise.withResolvers<void>();
    const call: Call = { left: 0, resolve: done.resolve, reject: done.reject };
    const now = this.#clock.now();
    const filling = new Map<
      string,
      { records: EncodeRecord[]; bytes: number; topic: string; partition: number }[]
    >();
    for (const record of records) {
      const layout = this.#cluster.knownTopic(record.topic);
      if (layout === undefined)
        return Promise.reject(new LogError(`topic ${record.topic} is gone`, { retriable: true }));
      const partition = choosePartition(record, layout.partitions.length, this.#rotation);
      if (partition < 0 || partition >= layout.partitions.length) {
        return Promise.reject(
          new LogError(`${record.topic} has no partition ${partition}`, { retriable: false }),
        );
      }
      const bytes = recordSizeBound(record);
      const key = `${record.topic}/${partition}`;
      let parts = filling.get(key);
      if (parts === undefined) {
        parts = [];
        filling.set(key, parts);
      }
      let part = parts[parts.length - 1];
      if (part === undefined || part.bytes + bytes > MAX_BATCH_BYTES) {
        part = { records: [], bytes: 0, topic: record.topic, partition };
        parts.push(part);
      }
      part.records.push({
        key: record.key,
        value: record.value,
        headers: record.headers,
        timestamp: record.timestamp ?? now,
      });
      part.bytes += bytes;
    }
    for (const [key, parts] of filling) {
      let queue = this.#queues.get(key);
      for (const part of parts) {
        if (queue === undefined) {
          queue = {
            topic: part.topic,
            partition: part.partition,
            waiting: [],
            batch: null,
            alone: 0,
            producerId: -1n,
            sequence: 0,
          };
          this.#queues.set(key, queue);
        }
        call.left++;
        queue.waiting.push({
          call,
          records: part.records,
          bytes: part.bytes,
          deadline: now + DELIVERY_TIMEOUT_MS,
        });
      }
    }
    queueMicrotask(() => this.#pump());
    return done.promise;
  }

  /** Start a request to every leader that has something waiting and nothing in flight. */
  #pump(): void {
    const ready = new Map<number, Queue[]>();
    for (const queue of this.#queues.values()) {
      if (queue.batch === null && queue.waiting.length === 0) continue;
      const leader = this.#cluster.leader(queue.topic, queue.partition);
      if (this.#busyLeaders.has(leader)) continue;
      ready.set(leader, [...(ready.get(leader) ?? []), queue]);
    }
    for (const [leader, queues] of ready) {
      this.#busyLeaders.add(leader);
      void this.#request(leader, queues).finally(() => {
        this.#busyLeaders.delete(leader);
        this.#pump();
      });
    }
  }

  async #request(leader: number, queues: readonly Queue[]): Promise<void> {
    let sending: Queue[] = [];
    try {
      if (leader < 0) throw new LogError('partition has no leader', { retriable: true });
      this.#identity ??= this.#newIdentity();
      const identity = await this.#identity;
      let bytes = 0;
      for (const queue of queues) {
        if (bytes >= MAX_REQUEST_BYTES) break;
        queue.batch ??= this.#build(queue, identity);
        bytes += queue.batch.encoded.length;
        sending.push(queue);
      }
      const answers = await this.#cluster.connections.call(
        this.#cluster.broker(leader),
        'produce',
        produceV9,
        [
          {
            timeoutMs: REQUEST_TIMEOUT_MS,
            batches: sending.map((queue) => ({
              topic: queue.topic,
              partition: queue.partition,
              records: queue.batch!.encoded,
            })),
          },
        ],
        REQUEST_TIMEOUT_MS + 10_000,
      );
      let again: LogError | null = null;
      for (const answer of answers) {
        const queue = this.#queues.get(`${answer.topic}/${answer.partition}`);
        if (queue?.batch) again = this.#settle(queue, queue.batch, answer) ?? again;
      }
      if (again === null) this.#retries = 0;
      else await this.#recover(again, sending);
    } catch (error) {
      if (sending.length === 0) sending = [...queues];
      this.#dropConnection(leader);
      await this.#recover(toLogError('produce', error), sending, isFatalConnectionError(error));
    }
  }

  #build(queue: Queue, { producerId, producerEpoch }: { producerId: bigint; producerEpoch: number }): Batch {
    if (queue.producerId !== producerId) {
      queue.producerId = producerId;
      queue.sequence = 0;
    }
    const chunks: Chunk[] = [];
    let bytes = 0;
    while (
      queue.waiting.length > 0 &&
      (chunks.length === 0 || (queue.alone === 0 && bytes + queue.waiting[0]!.bytes <= MAX_BATCH_BYTES))
    ) {
      const chunk = queue.waiting.shift()!;
      chunks.push(chunk);
      bytes += chunk.bytes;
    }
    if (queue.alone > 0) queue.alone--;
    const identity = { producerId, producerEpoch, baseSequence: queue.sequence };
    const records = chunks.length === 1 ? chunks[0]!.records : chunks.flatMap((chunk) => chunk.records);
    return { chunks, encoded: encodeBatch(records, checksum, identity), identity };
  }

  /** Applies the broker's answer for one batch; returns an error when the batch must be sent again. */
  #settle(queue: Queue, batch: Batch, answer: ProduceAnswer): LogError | null {
    const { errorCode } = answer;
    if (errorCode === 0 || errorCode === DUPLICATE_SEQUENCE) {
      const count = batch.chunks.reduce((sum, chunk) => sum + chunk.records.length, 0);
      // Sequences wrap around at 2^31 (KIP-98).
      queue.sequence = (queue.sequence + count) % 2 ** 31;
      queue.batch = null;
      for (const { call } of batch.chunks) {
        call.left--;
        if (call.left === 0) call.resolve();
      }
      return null;
    }
    const failure = codeError(`produce to ${queue.topic}/${queue.partition}`, errorCode, answer.errorMessage);
    if (
      errorCode === OUT_OF_ORDER_SEQUENCE ||
      errorCode === UNKNOWN_PRODUCER_ID ||
      errorCode === INVALID_PRODUCER_EPOCH
    ) {
      // The broker has lost our sequence. A new identity may write a duplicate, which ids make harmless; it never loses.
      this.#identity = null;
      this.#rebuild(queue, batch, 0);
      return new LogError(failure.message, { retriable: true });
    }
    if (isRetriableCode(errorCode)) return failure;
    if (batch.chunks.length > 1) {
      this.#rebuild(queue, batch, batch.chunks.length);
      return null;
    }
    this.#fail(queue, batch, failure);
    return null;
  }

  #rebuild(queue: Queue, batch: Batch, alone: number): void {
    queue.batch = null;
    queue.alone = Math.max(queue.alone, alone);
    queue.waiting = [...batch.chunks, ...queue.waiting];
  }

  #fail(queue: Queue, batch: Batch, error: LogError): void {
    queue.batch = null;
    for (const { call } of batch.chunks) call.reject(error);
  }

  /** Waits and looks leaders up again; batches beyond their deadline fail. */
  async #recover(error: LogError, queues: readonly Queue[], fatal = false): Promise<void> {
    const now = this.#clock.now();
    for (const queue of queues) {
      const batch = queue.batch;
      const expired = batch === null ? [] : batch.chunks.filter((chunk) => chunk.deadline <= now || fatal);
      if (batch !== null && expired.length > 0) {
        // Whether the broker has it is unknown, so its sequence is unknown too: begin a new identity.
        this.#identity = null;
        this.#fail(queue, batch, error);
      }
      const late = queue.waiting.filter((chunk) => chunk.deadline <= now || fatal);
      if (late.length > 0) {
        queue.waiting = queue.waiting.filter((chunk) => !late.includes(chunk));
        for (const { call } of late) call.reject(error);
      }
    }
    this.#retries++;
    const full = Math.min(2_000, 50 * 2 ** Math.min(this.#retries, 8));
    await this.#sleep(full / 2 + this.#random() * (full / 2));
    const topics = [...new Set(queues.map((queue) => queue.topic))];
    await this.#cluster.refresh(topics).catch(() => undefined);
  }

  async #newIdentity(): Promise<{ producerId: bigint; producerEpoch: number }> {
    const failures: unknown[] = [];
    for (const address of this.#cluster.connections.bootstrap) {
      try {
        const answer = await this.#cluster.connections.call(address, 'meta', initProducerIdV4.api, [
          null,
          60_000,
        ]);
        return { producerId: answer.producerId, producerEpoch: answer.producerEpoch };
      } catch (error) {
        failures.push(error);
        this.#cluster.connections.drop(address, 'meta');
      }
    }
    this.#identity = null;
    throw new LogError(`no producer id: ${describe(failures[0])}`, {
      retriable: !failures.some(isFatalConnectionError),
      cause: failures[0],
    });
  }

  #dropConnection(leader: number): void {
    try {
      this.#cluster.connections.drop(this.#cluster.broker(leader), 'produce');
    } catch {
      // A broker that is not known has no connection.
    }
  }

  #sleep(ms: number): Promise<void> {
    return this.#clock.sleep(ms, this.#stopped.signal).catch(() => undefined);
  }
}
