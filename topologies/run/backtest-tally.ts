// The difference between two rules over many events, in bounded memory: counts by type and day, and the first samples.
//
// Surprise: types come from the data, so only the first `maxTypes` are counted by name and the rest under `(other)`.

/** An event, or one row of a search result. */
export interface Sample {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Epoch ms of the record. */
  readonly timestamp: number;
  /** Source id: that of the event, else its place in the log; of a run `job/run`. */
  readonly id: string;
  /** Event type, or `search <job id>`. */
  readonly type: string;
  /** Index within the run. */
  readonly row?: number;
}

export interface Side {
  readonly total: number;
  readonly byType: ReadonlyMap<string, number>;
  /** UTC dates `YYYY-MM-DD` of the record times. */
  readonly byDay: ReadonlyMap<string, number>;
  /** The first ones by topic, partition, offset and row. */
  readonly samples: readonly Sample[];
}

export interface TallyReport {
  readonly both: Side;
  readonly onlyCandidate: Side;
  readonly onlyLive: Side;
}

export interface Tally {
  add(byCandidate: boolean, byLive: boolean, sample: Sample): void;
  report(): TallyReport;
}

export const maxTypes = 100;

export function createTally(samples: number): Tally {
  const sides = {
    both: createSide(samples),
    onlyCandidate: createSide(samples),
    onlyLive: createSide(samples),
  };
  return {
    add(byCandidate, byLive, sample) {
      const name = byCandidate && byLive ? 'both' : byCandidate ? 'onlyCandidate' : 'onlyLive';
      sides[name].add(sample);
    },
    report: () => ({
      both: sides.both.side(),
      onlyCandidate: sides.onlyCandidate.side(),
      onlyLive: sides.onlyLive.side(),
    }),
  };
}

function createSide(limit: number) {
  const byType = new Map<string, number>();
  const byDay = new Map<string, number>();
  let samples: Sample[] = [];
  let total = 0;
  const count = (map: Map<string, number>, key: string): void => void map.set(key, (map.get(key) ?? 0) + 1);
  return {
    add(sample: Sample): void {
      total += 1;
      count(byType, byType.has(sample.type) || byType.size < maxTypes ? sample.type : '(other)');
      count(byDay, new Date(sample.timestamp).toISOString().slice(0, 10));
      // Partitions are read side by side: which one comes first must not decide which samples are shown.
      samples.push(sample);
      if (samples.length > 2 * limit + 16) samples = samples.sort(byPlace).slice(0, limit);
    },
    side: (): Side => ({
      total,
      byType: sorted(byType, (a, b) => b[1] - a[1] || compare(a[0], b[0])),
      byDay: sorted(byDay, (a, b) => compare(a[0], b[0])),
      samples: [...samples].sort(byPlace).slice(0, limit),
    }),
  };
}

function sorted(
  map: ReadonlyMap<string, number>,
  order: (a: [string, number], b: [string, number]) => number,
): Map<string, number> {
  return new Map([...map].sort(order));
}

function byPlace(a: Sample, b: Sample): number {
  return (
    compare(a.topic, b.topic) ||
    a.partition - b.partition ||
    a.offset - b.offset ||
    (a.row ?? 0) - (b.row ?? 0)
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
