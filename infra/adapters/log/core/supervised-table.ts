// The port's table reader on any client: one life after the other under the supervisor, positions kept over all of them.
//
// Invariant: `start` resolves when every partition was read to the end that it had at the first look.
import type { Clock, Random } from '@tocsin/topologies/ports/clock.ts';
import type { TableReader, TableReaderOptions } from '@tocsin/topologies/ports/log.ts';
import { SupervisedReader } from './supervised-reader.ts';
import { TablePositions } from './table-positions.ts';

/** One life: follows the topic from where `positions` stand until `signal` aborts; rejects when something breaks. */
export type FollowTable = (
  positions: TablePositions,
  healthy: () => void,
  signal: AbortSignal,
) => Promise<void>;

export class SupervisedTable implements TableReader {
  readonly #reader: SupervisedReader;

  constructor(options: TableReaderOptions, follow: FollowTable, clock: Clock, random: Random) {
    const positions = new TablePositions(() => this.#reader.ready());
    this.#reader = new SupervisedReader({
      name: `table ${options.topic}`,
      live: (healthy, signal) => follow(positions, healthy, signal),
      onFailure: options.onFailure,
      clock,
      random,
    });
  }

  start(): Promise<void> {
    return this.#reader.start();
  }

  stop(): Promise<void> {
    return this.#reader.stop();
  }
}
