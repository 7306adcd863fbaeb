// Reads a whole topic from its start, without a group, and follows it.
//
// Invariant: `start` resolves when every partition was read to the end that it had at the call, and the handler has
// seen those records. Offsets out of range begin again at the start: a compacted topic holds every key that matters.
import type { Clock, Random } from '@tocsin/topologies/ports/clock.ts';
import type { TableReaderOptions } from '@tocsin/topologies/ports/log.ts';
import { LogError } from '@tocsin/topologies/ports/log.ts';
import { ByteBudget } from '../core/byte-budget.ts';
import { OwnedPartition } from '../core/owned-partition.ts';
import { DEFAULT_METADATA_REFRESH_MS, type LogConnection } from '../core/settings.ts';
import type { FollowTable } from '../core/supervised-table.ts';
import { handOver, partitionsOf, startsOf, type TablePositions } from '../core/table-positions.ts';
import { Cluster, EARLIEST, LATEST } from './cluster.ts';
import { Fetcher } from './fetcher.ts';

const BUDGET_BYTES = 16 * 1024 * 1024;
const MAX_BYTES_PER_PARTITION = 1024 * 1024;

/** The life of a table: opens partitions as they appear, fetches, closes. */
export function followTable(
  settings: LogConnection,
  options: TableReaderOptions,
  clock: Clock,
  random: Random,
): FollowTable {
  return (positions, healthy, signal) =>
    new TableLife({ settings, options, clock, random, positions }).run(healthy, signal);
}

interface TableLifeOptions {
  readonly settings: LogConnection;
  readonly options: TableReaderOptions;
  readonly clock: Clock;
  readonly random: Random;
  readonly positions: TablePositions;
}

class TableLife {
  readonly #settings: LogConnection;
  readonly #options: TableReaderOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #positions: TablePositions;

  constructor({ settings, options, clock, random, positions }: TableLifeOptions) {
    this.#settings = settings;
    this.#options = options;
    this.#clock = clock;
    this.#random = random;
    this.#positions = positions;
  }

  async run(healthy: () => void, signal: AbortSignal): Promise<void> {
    const { topic } = this.#options;
    const cluster = new Cluster(this.#settings);
    const bound = this.#options.maxBufferedBytes ?? BUDGET_BYTES;
    const budget = new ByteBudget(bound);
    const partitions: OwnedPartition[] = [];
    const fatal = Promise.withResolvers<never>();
    fatal.promise.catch(() => undefined);
    const fail = (error: unknown) => fatal.reject(error instanceof Error ? error : new Error(String(error)));
    const fetcher = new Fetcher({
      cluster,
      partitions: () => partitions,
      budget,
      maxBytesPerPartition: Math.min(bound, MAX_BYTES_PER_PARTITION),
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
          handler: { onBatch: (batch) => handOver(this.#options, batch) },
          onPosition: (next) => this.#positions.advance(partition, next),
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
        const all = partitionsOf(this.#options, layout?.partitions.map(({ partition }) => partition) ?? []);
        if (all.length === 0 && known === 0)
          throw new LogError(`topic ${topic} does not exist, or none of the partitions`, { retriable: true });
        const fresh = all.slice(known);
        if (fresh.length > 0) {
          const starts = startsOf(this.#options, await cluster.listOffsets(topic, fresh, EARLIEST));
          if (this.#positions.fresh)
            this.#positions.waitFor(await cluster.listOffsets(topic, fresh, LATEST), starts);
          for (const partition of fresh)
            open(partition, this.#positions.of(partition) ?? starts.get(partition) ?? 0);
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
}
