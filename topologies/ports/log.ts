// The log (Kafka) as the rest of the system sees it: records in partitions, read by groups, written with acks=all.
//
// Invariant: an offset is committed only when every record below it was reported complete (contiguous watermark);
// a completion that arrives after its partition was revoked is dropped. Both adapters and the in-memory twin pass
// one conformance suite (infra/adapters/log/conformance).

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export type Header = readonly [name: string, value: Buffer];

export interface HeaderSize {
  readonly count: number;
  readonly bytes: number;
}

/**
 * Consecutive records of one partition, as views into one buffer: reading a record allocates nothing but what the
 * caller asks for. Offsets are safe integers (an offset above 2^53 is refused by the adapter). The buffer stays
 * valid for as long as the batch is referenced and not released.
 */
export interface RecordBatch extends TopicPartition {
  /** Number of records; may be 0 when a fetch held control records only. */
  readonly count: number;
  /** Offset after the last record, control records and compaction gaps included. */
  readonly nextOffset: number;
  /** Bytes held by this batch, for memory bounds. */
  readonly byteLength: number;
  /** Backing bytes of keys, values and headers. */
  readonly buffer: Buffer;
  /** Start of each value in `buffer`; -1 for a null value (tombstone). */
  readonly valueStart: Int32Array;
  /** End (exclusive) of each value in `buffer`. */
  readonly valueEnd: Int32Array;
  offset(index: number): number;
  /** Epoch milliseconds; -1 when the record carries none. */
  timestamp(index: number): number;
  key(index: number): Buffer | null;
  value(index: number): Buffer | null;
  headers(index: number): readonly Header[];
  /** Headers of a record and the bytes of their names and values, without making them. */
  headerSize(index: number): HeaderSize;
  /**
   * Nobody reads the bytes of this batch, or a view of them, any more: they may be used for other records at once. Offsets
   * and timestamps stay readable; the rest throws. Never necessary, saves the garbage collector work; idempotent.
   */
  release?(): void;
}

/** One partition while this member owns it. `epoch` grows with every assignment of any partition. */
export interface Assignment extends TopicPartition {
  readonly epoch: number;
  /** Aborted when the partition is revoked or the consumer stops: stop taking new work, finish what is in flight. */
  readonly signal: AbortSignal;
  /**
   * Report the records [firstOffset, nextOffset) as having a durable outcome. Any order; ranges must not overlap.
   * Completions after the revoke's drain deadline are ignored.
   */
  complete(firstOffset: number, nextOffset: number): void;
}

export interface BatchHandler {
  onAssigned?(assignment: Assignment): void | Promise<void>;
  /**
   * Asked after `onAssigned` and before anything is read: the offset to begin at instead of the committed one; null keeps
   * that. For handlers that keep their place elsewhere.
   */
  startAt?(assignment: Assignment): Promise<number | null>;
  /**
   * Called with one batch of one partition at a time, in offset order; partitions run concurrently. The next batch of
   * this partition comes only after the promise resolves: not resolving is back-pressure for this partition alone.
   * Completion is separate: the handler may resolve at once and call `assignment.complete` later. A rejection is a
   * bug and fails the consumer (see ConsumerOptions.onFailure).
   */
  onBatch(batch: RecordBatch, assignment: Assignment): Promise<void>;
  /**
   * Instead of onBatch, where a client has more to give at once: everything that came in for the partition while the handler was
   * at work, in offset order and under the same contract. For handlers that pay by call and not by record: what many producers
   * write comes in many small batches.
   */
  onBatches?(batches: readonly RecordBatch[], assignment: Assignment): Promise<void>;
  /**
   * 'revoked': completions count until it resolves (or the drain deadline); without this method the consumer waits for
   * every delivered record to complete. 'lost': the partition is already somebody else's.
   */
  onRevoked?(assignment: Assignment, reason: 'revoked' | 'lost'): void | Promise<void>;
  /**
   * Records that are in the log and cannot be decoded (checksum, decompression limit), after repeated reads. When the
   * promise resolves they count as complete and reading goes on, so record them first. Without this method the
   * partition stops there with a notice.
   */
  onUnreadable?(range: UnreadableOffsets, assignment: Assignment): Promise<void>;
}

/** The offsets [firstOffset, nextOffset) of one partition that could not be decoded. */
export interface UnreadableOffsets extends TopicPartition {
  readonly firstOffset: number;
  readonly nextOffset: number;
  readonly reason: string;
}

export interface ConsumerOptions {
  readonly group: string;
  readonly topics: readonly string[];
  readonly handler: BatchHandler;
  /** Static membership (KIP-345) where the client has it. */
  readonly instanceId?: string;
  /** Bytes of fetched but not yet accepted batches, over all partitions; default 32 MiB. */
  readonly maxBufferedBytes?: number;
  /** Most bytes that one fetch takes from one partition; default 1 MiB. */
  readonly maxBytesPerPartition?: number;
  /** How long a revoke or a stop waits at most, ms; default 10,000; below the rebalance timeout. */
  readonly drainMs?: number;
  /** Time between two commits, ms; default 500. */
  readonly commitIntervalMs?: number;
  readonly sessionTimeoutMs?: number;
  /** A handler call or an uncompleted record older than this fails the consumer, ms; default none. */
  readonly watchdogMs?: number;
  /** The consumer could not go on (after its own retries), or the handler threw. It has stopped. */
  readonly onFailure?: (error: Error) => void;
  /** Something an operator should see: offset out of range, rebalance, fetch retry. */
  readonly onNotice?: (notice: ConsumerNotice) => void;
}

export interface ConsumerNotice {
  readonly kind:
    | 'assigned'
    | 'revoked'
    | 'lost'
    | 'offset-out-of-range'
    | 'fetch-retry'
    | 'commit-retry'
    | 'restarted'
    | 'unreadable';
  readonly message: string;
  readonly topic?: string;
  readonly partition?: number;
}

export interface LogConsumer {
  /** Resolves when the member has joined and got its first assignment (which may be empty). */
  start(): Promise<void>;
  /** Stop taking batches, wait for completions up to drainMs, commit, leave the group. Idempotent. */
  stop(): Promise<void>;
  assignments(): readonly Assignment[];
  /** Hold one partition back without holding others; survives losing and regaining the partition as "not paused". */
  pause(tp: TopicPartition): void;
  resume(tp: TopicPartition): void;
  /** Read this assigned partition again from `offset`; uncommitted completions above it are forgotten. */
  seek(tp: TopicPartition, offset: number): void;
}

export interface OutRecord {
  readonly topic: string;
  readonly key: Buffer | string | null;
  readonly value: Buffer | string | null;
  readonly headers?: readonly (readonly [string, Buffer | string])[];
  /** Default: murmur2(key) & 0x7fffffff mod partitions, as the Java client; round robin for a null key. */
  readonly partition?: number;
  /** Epoch milliseconds; default now. */
  readonly timestamp?: number;
}

export interface LogProducer {
  /**
   * Resolves when every record is acknowledged by all in-sync replicas. Rejects with LogError when one of them is not;
   * the caller must treat all of them as uncertain and may send them again (ids make that harmless).
   */
  send(records: readonly OutRecord[]): Promise<void>;
  close(): Promise<void>;
}

/** Reads whole topics without a group, from the start, and goes on following them: configuration tables. */
export interface TableReader {
  /** Resolves once every partition was read to the end offset that it had when the call began. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface TableReaderOptions {
  readonly topic: string;
  /** Only these partitions; all of the topic without it. */
  readonly partitions?: readonly number[];
  /** First offset wanted by partition; without one, and where the log begins later, the start of the log. */
  readonly from?: ReadonlyMap<number, number>;
  /** With a promise, nothing more of the partition comes before it resolves; other partitions may wait too. */
  readonly onBatch: (batch: RecordBatch) => void | Promise<void>;
  /** About how many fetched bytes wait for the handler at most, over all partitions; default 16 MiB. */
  readonly maxBufferedBytes?: number;
  readonly onFailure?: (error: Error) => void;
}

export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  /** Topic configuration, for example `cleanup.policy`. */
  readonly config: Readonly<Record<string, string>>;
}

export interface GroupLag extends TopicPartition {
  readonly group: string;
  /** -1 when the group has committed nothing for this partition. */
  readonly committed: number;
  readonly end: number;
  /** Records that wait, counted from the committed offset (or the start of the log). */
  readonly records: number;
  /** Timestamp of the first waiting record, epoch ms; null when none waits. */
  readonly oldestTimestamp: number | null;
}

export interface LogAdmin {
  /** Creates what is missing and adds partitions where there are fewer; never deletes. Returns the created names. */
  ensureTopics(specs: readonly TopicSpec[]): Promise<string[]>;
  listTopics(): Promise<string[]>;
  partitionCount(topic: string): Promise<number>;
  endOffsets(topic: string): Promise<Map<number, number>>;
  /** By partition the first offset that retention has left; the end when nothing is left. */
  startOffsets(topic: string): Promise<Map<number, number>>;
  /** By partition the first offset whose record is not older than `timestamp` (epoch ms); the end when there is none. */
  offsetsAt(topic: string, timestamp: number): Promise<Map<number, number>>;
  /** Lag of one group over the given topics, computed from offsets and one record read per waiting partition. */
  lag(group: string, topics: readonly string[]): Promise<GroupLag[]>;
  close(): Promise<void>;
}

export interface LogClient {
  consumer(options: ConsumerOptions): LogConsumer;
  producer(): LogProducer;
  table(options: TableReaderOptions): TableReader;
  admin(): LogAdmin;
}

/** A failure of the log itself. `retriable` says whether the same call may succeed later. */
export class LogError extends Error {
  readonly retriable: boolean;
  constructor(message: string, options: { retriable: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.name = 'LogError';
    this.retriable = options.retriable;
  }
}
