// Reads a whole topic from its start, without a group, and follows it.
//
// Invariant: `start` resolves when every partition was read to the end that it had at the call, and the handler has
// seen those records. Offsets out of range begin again at the start: a compacted topic holds every key that matters.
import type { Clock, Random } from '@tocsin/topologies/ports/clock.ts';
import type { RecordBatch, TableReader, TableReaderOptions } from '@tocsin/topologies/ports/log.ts';
import { LogError } from '@tocsin/topologies/ports/log.ts';
import { ByteBudget } from '../core/byte-budget.ts';
import { OwnedPartition } from '../core/owned-partition.ts';
import { DEFAULT_METADATA_REFRESH_MS, type LogConnection } from '../core/settings.ts';
import { Supervisor } from '../core/supervisor.ts';
import { Cluster, EARLIEST, LATEST } from './cluster.ts';
import { describe } from './errors.ts';
import { Fetcher } from './fetcher.ts';

const BUDGET_BYTES = 16 * 1024 * 1024;
const MAX_BYTES_PER_PARTITION = 1024 * 1024;

export class PlatformaticTable implements TableReader {
  readonly #settings: LogConnection;
  readonly #options: TableReaderOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #supervisor: Supervisor;
  readonly #started = Promise.withResolvers<void>();
  /** Next offset to hand over per partition; kept over restarts, so that nothing is handed over twice. */
  readonly #positions = new Map<number, number>();
  /** Ends that `start` waits for; set by the first look at the log. */
  #targets: Map<number, number> | null = null;

  constructor(settings: LogConnection, options: TableReaderOptions, clock: Clock, random: Random) {
    this.#settings = settings;
    this.#options = options;
    this.#clock = clock;
    this.#random = random;
    this.#started.promise.catch(() => undefined);
    this.#supervisor = new Supervisor({
      run: (healthy, signal) => this.#live(healthy, signal),
      retriable: (error) => error instanceof LogError && error.retriable,
      onRestart: () => undefined,
      onFailure: (error) => {
        const failure = error instanceof Error ? error : new Error(String(error));
        this.#started.reject(failure);
        options.onFailure?.(failure);
      },
      clock,
      random,
    });
  }

  start(): Promise<void> {
    this.#supervisor.start();
    return this.#started.promise;
  }

  async stop(): Promise<void> {
    await this.#supervisor.stop();
    this.#started.reject(new LogError('table reader was stopped', { retriable: false }));
  }

  async #live(healthy: () => void, signal: AbortSignal): Promise<void> {
    const { topic } = this.#options;
    const cluster = new Cluster(this.#settings);
    const budget = new ByteBudget(BUDGET_BYTES);
    const partitions: OwnedPartition[] = [];
    const fatal = Promise.withResolvers<never>();
    fatal.promise.catch(() => undefined);
    const fail = (error: unknown) => fatal.reject(error instanceof Error ? error : new Error(String(error)));
    const fetcher = new Fetcher({
      cluster,
      partitions: () => partitions,
      budget,
      maxBytesPerPartition: MAX_BYTES_PER_PARTITION,
      clock: this.#clock,
      random: this.#random,
      onRetry: () => undefined,
      onOutOfRange: (owned, earliest, end) =>
        owned.position < earliest ? owned.skipTo(earliest) : owned.seek(Math.min(earliest, end)),
      // A table with a hole is a wrong table.
      onUnreadable: (owned, range) =>
        fail(
          new LogError(`${owned.topic}/${owned.partition} offset ${range.firstOffset}: ${range.reason}`, {
            retriable: false,
          }),
        ),
      onFatal: fail,
    });
    const open = (partition: number, position: number) =>
      partitions.push(
        new OwnedPartition({
          topic,
          partition,
          epoch: 1,
          position,
          budget,
          clock: this.#clock,
          handler: { onBatch: async (batch) => this.#take(batch) },
          onPosition: (next) => this.#advance(partition, next),
          after: undefined,
          onSpace: () => fetcher.poke(),
          onError: fail,
        }),
      );
    try {
      const refreshMs = this.#settings.metadataRefreshMs ?? DEFAULT_METADATA_REFRESH_MS;
      await Promise.race([this.#follow(cluster, open, fetcher, refreshMs, healthy, signal), fatal.promise]);
    } finally {
      fetcher.stop();
      for (const owned of partitions) owned.beginRevoke();
      await cluster.close();
    }
  }

  /** Opens partitions as they appear, until the signal aborts. */
  async #follow(
    cluster: Cluster,
    open: (partition: number, position: number) => void,
    fetcher: Fetcher,
    refreshMs: number,
    healthy: () => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { topic } = this.#options;
    let known = 0;
    while (!signal.aborted) {
      try {
        const [layout] = await cluster.refresh([topic]);
        const all = layout?.partitions.map(({ partition }) => partition) ?? [];
        if (all.length === 0 && known === 0)
          throw new LogError(`topic ${topic} does not exist`, { retriable: true });
        const fresh = all.slice(known);
        if (fresh.length > 0) {
          const earliest = await cluster.listOffsets(topic, fresh, EARLIEST);
          if (this.#targets === null)
            this.#setTargets(await cluster.listOffsets(topic, fresh, LATEST), earliest);
          for (const partition of fresh)
            open(partition, this.#positions.get(partition) ?? earliest.get(partition) ?? 0);
          known = all.length;
        }
        healthy();
        fetcher.poke();
      } catch (error) {
        if (known === 0 || !(error instanceof LogError) || !error.retriable) throw error;
      }
      await this.#clock.sleep(refreshMs, signal).catch(() => undefined);
    }
  }

  #setTargets(ends: ReadonlyMap<number, number>, earliest: ReadonlyMap<number, number>): void {
    this.#targets = new Map([...ends].filter(([partition, end]) => end > (earliest.get(partition) ?? 0)));
    if (this.#targets.size === 0) this.#started.resolve();
  }

  #take(batch: RecordBatch): void {
    try {
      this.#options.onBatch(batch);
    } catch (error) {
      throw new LogError(`table handler of ${this.#options.topic} failed: ${describe(error)}`, {
        retriable: false,
        cause: error,
      });
    }
  }

  #advance(partition: number, nextOffset: number): void {
    this.#positions.set(partition, nextOffset);
    const target = this.#targets?.get(partition);
    if (target === undefined || nextOffset < target) return;
    this.#targets!.delete(partition);
    if (this.#targets!.size === 0) this.#started.resolve();
  }
}
